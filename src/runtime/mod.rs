pub struct RunOptions {
    pub first_run: bool,
    pub request: crate::setup::Request,
    pub data: Option<std::path::PathBuf>,
    pub no_mouse: bool,
}
pub fn run(_o: RunOptions) -> crate::Result<()> {
    Ok(())
}
