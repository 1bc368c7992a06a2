//! The modules of the crate, and which file uses an item of which other file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Token, end_of_group, tokens};

/// The names that lead to a module from the root of the crate.
pub(crate) type ModulePath = Vec<String>;

struct Import {
    /// From the root of the crate.
    path: ModulePath,
    /// What the file calls it; `None` for `*`.
    name: Option<String>,
    /// Whether the `use` is one of the module, not of a function's body.
    is_global: bool,
    is_public: bool,
}

struct Module {
    file: PathBuf,
    /// What it defines, but for what its macros define.
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// The paths in its code, as they are written.
    paths: Vec<ModulePath>,
}

/// One file's use of an item that another file defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) from: ModulePath,
    /// The module that defines the item, wherever the path leads through.
    pub(crate) to: ModulePath,
    /// The path as it is written, from the root of the crate.
    pub(crate) path: ModulePath,
}

pub(crate) struct Modules(BTreeMap<ModulePath, Module>);

/// What a path leads to.
#[derive(Debug, PartialEq)]
enum Target {
    /// A module itself.
    Module(ModulePath),
    /// An item, by the module that defines it.
    ItemOf(ModulePath),
    /// Another crate.
    Elsewhere,
}

impl Modules {
    /// Reads the files below `src`, except those of tests and those that are named.
    pub(crate) fn read(src: &Path, except: &[&str]) -> Self {
        let mut files = Vec::new();
        list(src, &mut files);
        let mut texts = Vec::new();
        for file in files {
            let path = module_path(file.strip_prefix(src).unwrap());
            let is_test = path.iter().any(|part| part == "tests");
            if !is_test && !path.first().is_some_and(|first| except.contains(&first.as_str())) {
                texts.push((path, fs::read_to_string(&file).unwrap(), file));
            }
        }
        Self::parse(texts)
    }

    /// Modules by their path, text and file.
    pub(crate) fn parse(texts: Vec<(ModulePath, String, PathBuf)>) -> Self {
        let paths: BTreeSet<_> = texts.iter().map(|(path, ..)| path.clone()).collect();
        let modules = texts.into_iter().map(|(path, text, file)| {
            let module = Module::parse(&path, &tokens(&text), file, &paths);
            (path, module)
        });
        Self(modules.collect())
    }

    pub(crate) fn file(&self, module: &[String]) -> &Path {
        &self.0[module].file
    }

    /// Every use of another file's item, once for each path.
    pub(crate) fn uses(&self) -> BTreeSet<Use> {
        let mut uses = BTreeSet::new();
        for (from, module) in &self.0 {
            let imported = module.imports.iter().filter(|import| !import.is_public || module.mentions(import));
            let written = module.paths.iter().filter_map(|path| self.lengthened(from, path));
            for path in imported.map(|import| import.path.clone()).chain(written) {
                if let Target::ItemOf(to) = self.resolve(&[], &path, 0)
                    && to != *from
                {
                    uses.insert(Use { from: from.clone(), to, path });
                }
            }
        }
        uses
    }

    /// A path of a module's code from the root of the crate, if it leads through a module of the crate.
    fn lengthened(&self, module: &ModulePath, path: &[String]) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        if let Some(base) = base(module, path) {
            return Some(base);
        }
        let imported = self.0[module].imports.iter().find(|import| import.name.as_ref() == Some(first))?;
        let leads_on = matches!(self.resolve(&[], &imported.path, 0), Target::Module(_)) && !rest.is_empty();
        leads_on.then(|| [&imported.path[..], rest].concat())
    }

    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Target {
        assert!(depth < 50, "{module:?} imports itself by {path:?}");
        let Some((first, rest)) = path.split_first() else { return Target::Module(module.to_vec()) };
        let here = &self.0[module];
        let child = [module, std::slice::from_ref(first)].concat();
        if self.0.contains_key(&child) && !(rest.is_empty() && here.names(first)) {
            return self.resolve(&child, rest, depth);
        }
        if here.items.contains(first) {
            return Target::ItemOf(module.to_vec());
        }
        if let Some(import) = here.imports.iter().find(|import| import.is_global && import.name.as_ref() == Some(first))
        {
            return self.resolve(&[], &[&import.path[..], rest].concat(), depth + 1);
        }
        let opened = here.imports.iter().filter(|import| import.is_global && import.name.is_none());
        let opened = opened.filter_map(|import| match self.resolve(&[], &import.path, depth + 1) {
            Target::Module(opened) => Some(opened),
            _ => None,
        });
        // What no module names is defined by a macro: by one of the module that hands everything on, if there is one.
        let opened: Vec<_> = opened.collect();
        if let Some(opened) = opened.iter().find(|opened| self.0[*opened].names(first)).or(opened.first()) {
            return self.resolve(opened, path, depth + 1);
        }
        if module.is_empty() { Target::Elsewhere } else { Target::ItemOf(module.to_vec()) }
    }
}

impl Module {
    fn parse(path: &ModulePath, tokens: &[Token], file: PathBuf, modules: &BTreeSet<ModulePath>) -> Self {
        let mut module = Self { file, items: BTreeSet::new(), imports: Vec::new(), paths: Vec::new() };
        let (mut at, mut depth) = (0, 0);
        while let Some(token) = tokens.get(at) {
            let is_name = at > 0 && matches!(tokens[at - 1], Token::Path | Token::Sign('.'));
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth -= 1,
                Token::Word(word) if word == "use" => {
                    let end = at + tokens[at..].iter().position(|token| *token == Token::Sign(';')).unwrap();
                    let is_public = at > 0 && (tokens[at - 1].is("pub") || tokens[at - 1] == Token::Sign(')'));
                    for (written, name) in import_tree(&tokens[at + 1..end]) {
                        let is_child =
                            |name: &String| modules.contains(&[&path[..], std::slice::from_ref(name)].concat());
                        let from_root = base(path, &written)
                            .or_else(|| is_child(&written[0]).then(|| [&path[..], &written[..]].concat()));
                        if let Some(path) = from_root {
                            module.imports.push(Import { path, name, is_global: depth == 0, is_public });
                        }
                    }
                    at = end;
                }
                Token::Word(_) if !is_name => {
                    let written = path_at(tokens, at);
                    at += 2 * (written.len() - 1);
                    if depth == 0
                        && let Some(name) = defined(tokens, at)
                    {
                        module.items.insert(name.to_owned());
                    }
                    let child = [&path[..], &written[..1]].concat();
                    if modules.contains(&child) && written.len() > 1 {
                        module.paths.push([&["self".to_owned()], &written[..]].concat());
                    } else {
                        module.paths.push(written);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        module
    }

    fn names(&self, name: &str) -> bool {
        let imports = |import: &Import| import.is_global && import.name.as_deref() == Some(name);
        self.items.contains(name) || self.imports.iter().any(imports)
    }

    /// Whether the code uses what it also hands on to others.
    fn mentions(&self, import: &Import) -> bool {
        import.name.as_ref().is_some_and(|name| self.paths.iter().any(|path| path[0] == *name))
    }
}

/// A path that begins with `crate`, `self` or `super`, from the root of the crate.
fn base(module: &[String], path: &[String]) -> Option<ModulePath> {
    let mut base = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => module.to_vec(),
        _ => return None,
    };
    let mut rest = path;
    while let Some(first) = rest.first().filter(|first| matches!(first.as_str(), "crate" | "self" | "super")) {
        if first == "super" {
            base.pop();
        }
        rest = &rest[1..];
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// The names that are joined by `::` from `at` on.
fn path_at(tokens: &[Token], mut at: usize) -> ModulePath {
    let mut path = Vec::new();
    while let Some(word) = tokens.get(at).and_then(Token::word) {
        path.push(word.to_owned());
        if tokens.get(at + 1) != Some(&Token::Path) {
            break;
        }
        at += 2;
    }
    path
}

/// The name that the word at `at` begins to define.
fn defined(tokens: &[Token], at: usize) -> Option<&str> {
    const KINDS: [&str; 9] = ["fn", "struct", "enum", "trait", "type", "union", "const", "static", "macro_rules"];
    let kind = tokens[at].word().filter(|word| KINDS.contains(word))?;
    let name = tokens.get(at + if kind == "macro_rules" { 2 } else { 1 })?.word()?;
    (name != "fn" && name != "unsafe" && name != "async").then_some(name)
}

/// The paths of `use …;` and what each is called.
fn import_tree(tokens: &[Token]) -> Vec<(ModulePath, Option<String>)> {
    let mut path = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Word(word) if word == "as" => {
                let name = tokens[at + 1].word().unwrap().to_owned();
                return vec![(path, Some(name))];
            }
            Token::Word(word) if word == "self" && !path.is_empty() => {}
            Token::Word(word) => path.push(word.clone()),
            Token::Sign('*') => return vec![(path, None)],
            Token::Sign('{') => {
                let inner = &tokens[at + 1..end_of_group(tokens, at) - 1];
                let branches = branches(inner).into_iter().flat_map(|branch| {
                    let outer = path.clone();
                    import_tree(branch).into_iter().map(move |(inner, name)| {
                        let is_outer = inner == ["self"];
                        let name =
                            if is_outer && name.as_deref() == Some("self") { outer.last().cloned() } else { name };
                        (if is_outer { outer.clone() } else { [&outer[..], &inner].concat() }, name)
                    })
                });
                return branches.collect();
            }
            _ => {}
        }
        at += 1;
    }
    let name = path.last().cloned();
    vec![(path, name)]
}

/// What the commas part.
fn branches(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut branches, mut begin, mut depth) = (Vec::new(), 0, 0);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth -= 1,
            Token::Sign(',') if depth == 0 => {
                branches.push(&tokens[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    branches.push(&tokens[begin..]);
    branches.retain(|branch| !branch.is_empty());
    branches
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The path of modules that leads to a file: `http/error/mod.rs` is `http::error`.
fn module_path(file: &Path) -> ModulePath {
    let mut path: Vec<_> = file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path.last().is_some_and(|last| last == "mod") || path == ["lib"] {
        path.pop();
    }
    path
}
