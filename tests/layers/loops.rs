//! Files that use each other in a loop.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{ModulePath, Use};

/// The largest sets of modules in which each leads to each by what it uses, and those it uses use.
pub(crate) fn find(uses: &BTreeSet<Use>) -> Vec<BTreeSet<ModulePath>> {
    let mut imports_of: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = BTreeMap::new();
    for import in uses {
        imports_of.entry(&import.from).or_default().insert(&import.to);
    }
    let reached: BTreeMap<_, _> = imports_of.keys().map(|module| (*module, reached(module, &imports_of))).collect();
    let mut groups = BTreeSet::new();
    for (module, beyond) in &reached {
        let back = beyond.iter().filter(|other| reached.get(*other).is_some_and(|beyond| beyond.contains(module)));
        let group: BTreeSet<ModulePath> = back.map(|other| (*other).clone()).collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

/// All that a module uses, and what that uses, and so on.
fn reached<'a>(
    module: &'a ModulePath,
    imports_of: &BTreeMap<&'a ModulePath, BTreeSet<&'a ModulePath>>,
) -> BTreeSet<&'a ModulePath> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![module]);
    while let Some(next) = open.pop() {
        for beyond in imports_of.get(next).into_iter().flatten() {
            if reached.insert(*beyond) {
                open.push(beyond);
            }
        }
    }
    reached
}
