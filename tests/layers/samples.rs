//! That the tests of the layers see what is written, in small crates.

use std::path::PathBuf;

use crate::loops;
use crate::modules::{ModulePath, Modules};

/// A crate of files by their module.
fn sample(files: &[(&str, &str)]) -> Modules {
    let path = |module: &str| module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let files = files.iter().map(|(module, text)| (path(module), (*text).to_owned(), PathBuf::from(module)));
    Modules::parse(files.collect())
}

/// Which module uses an item of which other, as `a::b > c`.
fn uses(files: &[(&str, &str)]) -> Vec<String> {
    let shown = |path: &ModulePath| path.join("::");
    let mut uses: Vec<_> =
        sample(files).uses().iter().map(|found| format!("{} > {}", shown(&found.from), shown(&found.to))).collect();
    uses.dedup();
    uses
}

fn loops(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let groups = loops::find(&sample(files).uses());
    groups.iter().map(|group| group.iter().map(|path| path.join("::")).collect()).collect()
}

#[test]
fn a_use_belongs_to_the_file_that_defines_the_item() {
    let inner = ("a::b", "pub struct B; pub mod c;");
    let deepest = ("a::b::c", "pub(crate) const C: u8 = 0;");
    let handing_on = ("a", "mod b; pub use b::{B, c::{self, C as Renamed}};");
    for import in [
        "use crate::a::B;",
        "use crate::a::{B as Other};",
        "fn f() { let _ = crate::a::B; }",
        "use crate::a; fn f() { let _ = a::B; }",
        "use super::a::{self as x}; type T = x::B;",
        "fn f() { use crate::a::B; }",
    ] {
        let found = uses(&[("", ""), handing_on, inner, deepest, ("d", import)]);
        assert_eq!(found, ["d > a::b"], "{import}");
    }
    for import in ["use crate::a::Renamed;", "use crate::a::c::C;", "use crate::a; const D: u8 = a::c::C;"] {
        let found = uses(&[("", ""), handing_on, inner, deepest, ("d", import)]);
        assert_eq!(found, ["d > a::b::c"], "{import}");
    }
}

#[test]
fn what_is_no_use_is_not_taken_for_one() {
    let target = ("a", "pub struct A; impl A { pub fn new() {} }");
    for code in [
        "// use crate::a::A;",
        "/* crate::a::A */",
        "const TEXT: &str = \"crate::a::A\";",
        "const TEXT: &str = r#\"crate::a::A\"#;",
        "use crate::a;",
        "use a::A; use std::fmt; fn f(x: &fmt::Arguments) { x.a() }",
        "#[cfg(test)] use crate::a::A;",
        "#[cfg(test)]\n#[allow(dead_code)]\nmod tests { use crate::a::A; }",
        "#[cfg(test)] impl X<A, B> { fn f() { crate::a::A; } }",
        "struct S { #[cfg(test)] field: crate::a::A, other: u8 }",
    ] {
        assert_eq!(uses(&[("", ""), target, ("d", code)]), Vec::<String>::new(), "{code}");
    }
    let behind = "#[cfg(test)] mod tests;\nfn f<'a>(x: &'a str) -> char { crate::a::A::new(); '\\'' }";
    assert_eq!(uses(&[("", ""), target, ("d", behind)]), ["d > a"], "what comes behind a test is read");
}

#[test]
fn a_parent_and_a_child_that_use_each_other_are_a_loop() {
    let child = ("a::b", "use super::A; pub struct B;");
    let uses_child = ("a", "mod b; pub use b::B; pub struct A; fn f() -> B { B }");
    let hands_child_on = ("a", "mod b; pub use b::B; pub struct A;");
    assert_eq!(loops(&[("", ""), uses_child, child]), [["a", "a::b"]]);
    assert_eq!(loops(&[("", ""), hands_child_on, child]), Vec::<Vec<String>>::new());
}

#[test]
fn a_loop_of_three_is_found_through_what_hands_the_items_on() {
    let files = [
        ("", ""),
        ("a", "mod b; mod c; mod d; pub use self::{b::B, c::C, d::D};"),
        ("a::b", "use super::C; pub struct B;"),
        ("a::c", "pub struct C; fn f(_: super::super::a::D) {}"),
        ("a::d", "use crate::a::b::B; pub struct D;"),
    ];
    assert_eq!(loops(&files), [["a::b", "a::c", "a::d"]]);
    assert_eq!(loops(&files[..4]), Vec::<Vec<String>>::new());
}
