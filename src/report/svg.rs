//! Lines of text in a monospaced grid as one SVG picture: sharp at every size, its text can be selected, and it needs
//! nothing from outside. Written by hand and not with `maud`: that writes HTML, where a picture on its own is XML, and
//! a run's look comes in as ready attributes.

use std::fmt::Write;

use super::page::escaped;

/// Size of a cell, and where the text stands in it.
const CELL: (f64, f64) = (8.4, 18.0);
const BASELINE: f64 = 13.5;
/// Room around the grid.
const MARGIN: f64 = 12.0;

/// Neighbouring cells of one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    pub text: String,
    /// Cells that the text takes.
    pub cells: usize,
    /// Attributes of the text and of the ground under it, made by the program: never text from outside.
    pub attributes: String,
    pub ground: Option<String>,
}

/// The picture; `style` is CSS, `ground` the attributes of the whole ground.
pub fn picture(title: &str, lines: &[Vec<Run>], style: &str, ground: &str) -> String {
    let cells = |line: &Vec<Run>| line.iter().map(|run| run.cells).sum::<usize>();
    let columns = lines.iter().map(cells).max().unwrap_or(0).max(1);
    let (width, height) = (length(columns, CELL.0), length(lines.len(), CELL.1));
    let (width, height) = (width + 2.0 * MARGIN, height + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.1}\" height=\"{height:.1}\" viewBox=\"0 0 {width:.1} \
         {height:.1}\" font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"14\">\n<title>{}</title>\n\
         <style>text {{ white-space: pre; }} {style}</style>\n<rect width=\"100%\" height=\"100%\" {ground}/>\n",
        escaped(title)
    );
    for (row, line) in lines.iter().enumerate() {
        let y = MARGIN + length(row, CELL.1);
        let mut column = 0;
        for run in line {
            let (x, wide) = (MARGIN + length(column, CELL.0), length(run.cells, CELL.0));
            column += run.cells;
            // Writing to a String cannot fail.
            if let Some(ground) = &run.ground {
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{}\" {ground}/>",
                    CELL.1
                );
            }
            if run.text.trim().is_empty() && run.attributes.is_empty() {
                continue;
            }
            let _ = writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" \
                 {}>{}</text>",
                y + BASELINE,
                run.attributes,
                escaped(&run.text)
            );
        }
    }
    out + "</svg>\n"
}

fn length(cells: usize, size: f64) -> f64 {
    f64::from(u32::try_from(cells).unwrap_or(u32::MAX)) * size
}
