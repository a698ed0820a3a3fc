//! Which file of `src/` uses which: a graph of files, read from the parsed sources.
//!
//! A path in code (or in a macro's arguments) is resolved the way the compiler does it: through `use`, `self`,
//! `super`, `crate` and re-exports, down to the file that defines the name. So a `mod.rs` that only declares its
//! children and hands their names on takes part in no circle; one that defines a type which a child uses, and
//! itself calls that child, does. Code under `#[cfg(test)]` is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

/// A module's path from the crate root, `["chat", "jinja"]`; the root is empty.
type ModulePath = Vec<String>;

/// One module: the file it is written in, the names it defines and the names it brings in.
#[derive(Default)]
struct Module {
    file: PathBuf,
    definitions: HashSet<String>,
    uses: HashMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    paths: BTreeSet<Vec<String>>,
}

/// Which file uses which names of which other file.
pub type Graph = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The graph of every file below `src`, named relative to it.
pub fn graph(src: &Path) -> Graph {
    let mut modules = HashMap::new();
    let lib = src.join("lib.rs");
    read_module(&lib, Path::new(""), src, Vec::new(), &mut modules);
    let mut graph = Graph::new();
    for (own_path, module) in &modules {
        for path in &module.paths {
            let mut visited = HashSet::new();
            let Some(file) = resolve(own_path, path, &modules, &mut visited) else { continue };
            if file != module.file {
                let names = graph.entry(module.file.clone()).or_default().entry(file).or_default();
                names.insert(path.join("::"));
            }
        }
    }
    graph
}

/// The circles: sets of two or more files that all reach each other, largest first.
pub fn circles(graph: &Graph) -> Vec<BTreeSet<PathBuf>> {
    let reached: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> =
        graph.keys().map(|start| (start, reachable(graph, start))).collect();
    let mut found: BTreeSet<BTreeSet<PathBuf>> = BTreeSet::new();
    for (start, beyond) in &reached {
        if beyond.contains(*start) {
            let together = |other: &&&PathBuf| reached.get(**other).is_some_and(|back| back.contains(start));
            found.insert(beyond.iter().filter(together).map(|file| (*file).clone()).collect());
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    found
}

/// A shortest way from `start` back to itself: `a.rs → b.rs → a.rs`, with the names used at each step.
pub fn shortest_way_round(graph: &Graph, start: &PathBuf) -> String {
    let mut previous: BTreeMap<&PathBuf, &PathBuf> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in graph.get(file).into_iter().flat_map(|used| used.keys()) {
            if next == start {
                let mut way = vec![file];
                while let Some(before) = previous.get(way[way.len() - 1]) {
                    way.push(before);
                }
                way.reverse();
                way.push(start);
                let step = |pair: &[&PathBuf]| {
                    let names: Vec<&str> = graph[pair[0]][pair[1]].iter().map(String::as_str).collect();
                    format!("      {} uses {} of {}", pair[0].display(), names.join(", "), pair[1].display())
                };
                return way.windows(2).map(step).collect::<Vec<_>>().join("\n");
            }
            if next != start && !previous.contains_key(next) {
                previous.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    String::new()
}

fn reachable<'a>(graph: &'a Graph, start: &PathBuf) -> BTreeSet<&'a PathBuf> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&PathBuf> = graph.get(start).into_iter().flat_map(|used| used.keys()).collect();
    while let Some(file) = open.pop() {
        if seen.insert(file) {
            open.extend(graph.get(file).into_iter().flat_map(|used| used.keys()));
        }
    }
    seen
}

/// The file that defines `path`, seen from module `from`; `None` for names of other crates and local names.
fn resolve(
    from: &[String],
    path: &[String],
    modules: &HashMap<ModulePath, Module>,
    visited: &mut HashSet<(ModulePath, Vec<String>)>,
) -> Option<PathBuf> {
    if !visited.insert((from.to_vec(), path.to_vec())) {
        return None;
    }
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => resolve_in(Vec::new(), rest, modules, visited),
        "self" => resolve_in(from.to_vec(), rest, modules, visited),
        "super" => {
            let (_, parent) = from.split_last()?;
            let (mut rest, mut at) = (rest, parent);
            while rest.first().is_some_and(|next| next == "super") {
                (rest, at) = (&rest[1..], at.split_last()?.1);
            }
            resolve_in(at.to_vec(), rest, modules, visited)
        }
        _ => {
            let module = modules.get(from)?;
            let child: ModulePath = from.iter().chain([first]).cloned().collect();
            // `use memchr::memchr` starts at another crate, not at itself.
            if let Some(used) = module.uses.get(first).filter(|used| used[0] != *first) {
                let whole: Vec<String> = used.iter().chain(rest).cloned().collect();
                return resolve(from, &whole, modules, visited);
            }
            if module.definitions.contains(first) || modules.contains_key(&child) {
                return resolve_in(from.to_vec(), path, modules, visited);
            }
            module.globs.iter().find_map(|glob| {
                let whole: Vec<String> = glob.iter().chain(path).cloned().collect();
                resolve(from, &whole, modules, visited)
            })
        }
    }
}

/// The file that defines `path` in module `at`. A path that ends at a module itself names no definition.
fn resolve_in(
    at: ModulePath,
    path: &[String],
    modules: &HashMap<ModulePath, Module>,
    visited: &mut HashSet<(ModulePath, Vec<String>)>,
) -> Option<PathBuf> {
    let module = modules.get(&at)?;
    let (first, rest) = path.split_first()?;
    if module.definitions.contains(first) {
        return Some(module.file.clone());
    }
    let child: ModulePath = at.iter().chain([first]).cloned().collect();
    if !rest.is_empty() && modules.contains_key(&child) {
        return resolve_in(child, rest, modules, visited);
    }
    if let Some(used) = module.uses.get(first) {
        let whole: Vec<String> = used.iter().chain(rest).cloned().collect();
        return resolve(&at, &whole, modules, visited);
    }
    if modules.contains_key(&child) {
        return None;
    }
    module.globs.iter().find_map(|glob| {
        let whole: Vec<String> = glob.iter().chain(path).cloned().collect();
        resolve(&at, &whole, modules, visited)
    })
}

/// Reads the file of one module and the files of its children.
fn read_module(
    file: &Path,
    children_in: &Path,
    src: &Path,
    path: ModulePath,
    modules: &mut HashMap<ModulePath, Module>,
) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let name = file.strip_prefix(src).unwrap().to_path_buf();
    read_items(&parsed.items, &name, children_in, src, path, modules);
}

fn read_items(
    items: &[syn::Item],
    file: &Path,
    children_in: &Path,
    src: &Path,
    path: ModulePath,
    modules: &mut HashMap<ModulePath, Module>,
) {
    let mut module = Module { file: file.to_path_buf(), ..Module::default() };
    let of_branches: Vec<syn::Item> = items.iter().flat_map(first_branch).collect();
    for item in items.iter().chain(&of_branches).filter(|item| !is_for_tests(attributes(item))) {
        if let syn::Item::Mod(child) = item {
            let name = child.ident.to_string();
            let child_path: ModulePath = path.iter().cloned().chain([name.clone()]).collect();
            let folder = children_in.join(&name);
            if let Some((_, inner)) = &child.content {
                read_items(inner, file, &folder, src, child_path, modules);
            } else {
                let flat = src.join(children_in).join(format!("{name}.rs"));
                let nested = src.join(&folder).join("mod.rs");
                let child_file = if flat.is_file() { flat } else { nested };
                read_module(&child_file, &folder, src, child_path, modules);
            }
        } else {
            define(item, &mut module);
            Reader { module: &mut module }.visit_item(item);
        }
    }
    modules.insert(path, module);
}

/// The items of the first branch of a `cfg_if!`.
fn first_branch(item: &syn::Item) -> Vec<syn::Item> {
    let syn::Item::Macro(item) = item else { return Vec::new() };
    if item.mac.path.segments.last().is_none_or(|segment| segment.ident != "cfg_if") {
        return Vec::new();
    }
    let braced = |tree: TokenTree| match tree {
        TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace => Some(group.stream()),
        _ => None,
    };
    let branch = item.mac.tokens.clone().into_iter().find_map(braced).expect("a branch");
    syn::parse2::<syn::File>(branch).expect("items").items
}

fn define(item: &syn::Item, module: &mut Module) {
    let ident = match item {
        syn::Item::Const(i) => &i.ident,
        syn::Item::Enum(i) => &i.ident,
        syn::Item::Fn(i) => &i.sig.ident,
        syn::Item::Static(i) => &i.ident,
        syn::Item::Struct(i) => &i.ident,
        syn::Item::Trait(i) => &i.ident,
        syn::Item::TraitAlias(i) => &i.ident,
        syn::Item::Type(i) => &i.ident,
        syn::Item::Union(i) => &i.ident,
        syn::Item::Macro(syn::ItemMacro { ident: Some(ident), .. }) => ident,
        _ => return,
    };
    module.definitions.insert(ident.to_string());
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(i) => &i.attrs,
        syn::Item::Enum(i) => &i.attrs,
        syn::Item::Fn(i) => &i.attrs,
        syn::Item::Impl(i) => &i.attrs,
        syn::Item::Macro(i) => &i.attrs,
        syn::Item::Mod(i) => &i.attrs,
        syn::Item::Static(i) => &i.attrs,
        syn::Item::Struct(i) => &i.attrs,
        syn::Item::Trait(i) => &i.attrs,
        syn::Item::Type(i) => &i.attrs,
        syn::Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => attribute.path().is_ident("test"),
    })
}

/// Collects the `use` declarations and the paths of a module's items.
struct Reader<'a> {
    module: &'a mut Module,
}

impl Reader<'_> {
    /// A private `use` counts as a use of its name (a trait may be used by its methods alone); a public one only
    /// hands the name on.
    fn flatten(&mut self, tree: &syn::UseTree, before: &[String], public: bool) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        let (name, path) = match tree {
            syn::UseTree::Path(path) => return self.flatten(&path.tree, &with(&path.ident), public),
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.flatten(tree, before, public));
            }
            // A glob of another crate (`rayon::prelude::*`) names nothing of ours.
            syn::UseTree::Glob(_) if !["crate", "self", "super"].contains(&before[0].as_str()) => return,
            syn::UseTree::Glob(_) => return self.module.globs.push(before.to_vec()),
            syn::UseTree::Name(name) if name.ident == "self" => {
                (before.last().cloned().unwrap_or_default(), before.to_vec())
            }
            syn::UseTree::Name(name) => (name.ident.to_string(), with(&name.ident)),
            syn::UseTree::Rename(rename) => (rename.rename.to_string(), with(&rename.ident)),
        };
        if !public {
            self.module.paths.insert(path.clone());
        }
        if path.len() > 1 || path[0] != name {
            self.module.uses.insert(name, path);
        }
    }

    fn scan_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut after_dot = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_of_path(&mut path, after_dot);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end_of_path(&mut path, after_dot);
                    colons = 0;
                    after_dot = matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '.');
                    if let TokenTree::Group(group) = other {
                        self.scan_tokens(group.stream());
                    }
                    continue;
                }
            }
        }
        self.end_of_path(&mut path, after_dot);
    }

    fn end_of_path(&mut self, path: &mut Vec<String>, after_dot: bool) {
        let whole = std::mem::take(path);
        if !whole.is_empty() && !after_dot {
            self.module.paths.insert(whole);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        self.flatten(&item.tree, &[], public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.module.paths.insert(names);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.scan_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            syn::visit::visit_impl_item_fn(self, function);
        }
    }
}
