//! Tables of text with aligned columns.

use std::fmt;

/// The alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Left, for words.
    Left,
    /// Right, for numbers.
    Right,
}

/// A table with rows of `N` cells.
pub(super) struct Grid<const N: usize> {
    sides: [Side; N],
    lines: Vec<Line<N>>,
}

enum Line<const N: usize> {
    Cells([String; N]),
    /// A line under the numbers, above their sum.
    Rule,
    Gap,
}

impl<const N: usize> Grid<N> {
    pub(super) fn new(sides: [Side; N]) -> Self {
        Self { sides, lines: Vec::new() }
    }

    pub(super) fn head(&mut self, names: [&str; N]) {
        self.lines.push(Line::Cells(names.map(str::to_owned)));
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.lines.push(Line::Cells(cells.map(|cell| plain(&cell))));
    }

    pub(super) fn rule(&mut self) {
        self.lines.push(Line::Rule);
    }

    pub(super) fn gap(&mut self) {
        self.lines.push(Line::Gap);
    }

    fn widths(&self) -> [usize; N] {
        let mut widths = [0; N];
        for line in &self.lines {
            if let Line::Cells(cells) = line {
                for (width, cell) in widths.iter_mut().zip(cells) {
                    *width = cell.chars().count().max(*width);
                }
            }
        }
        widths
    }
}

impl<const N: usize> fmt::Display for Grid<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for line in &self.lines {
            let columns = widths.iter().zip(self.sides);
            let cells: Vec<String> = match line {
                Line::Gap => Vec::new(),
                Line::Rule => columns
                    .map(|(width, side)| if side == Side::Right { "-".repeat(*width) } else { " ".repeat(*width) })
                    .collect(),
                Line::Cells(cells) => cells
                    .iter()
                    .zip(columns)
                    .map(|(cell, (width, side))| match side {
                        Side::Left => format!("{cell:<width$}"),
                        Side::Right => format!("{cell:>width$}"),
                    })
                    .collect(),
            };
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Escapes a name for display. Names come from outside: one with characters that reverse the text direction or have no
/// width must not pass for another.
pub(super) fn plain(text: &str) -> String {
    let shown =
        |c: char| -> Vec<char> { if matches!(c, '"' | '\'' | '\\') { vec![c] } else { c.escape_debug().collect() } };
    text.chars().flat_map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_even_on_the_left_and_numbers_on_the_right() {
        let mut grid = Grid::new([Side::Left, Side::Right, Side::Left]);
        grid.head(["WHO", "N", "HOW"]);
        grid.row(["a".to_owned(), "1000".to_owned(), "well".to_owned()]);
        grid.row(["J\u{f6}rg".to_owned(), "7".to_owned(), String::new()]);
        grid.rule();
        grid.gap();
        grid.row([String::new(), "1007".to_owned(), String::new()]);
        let lines = ["WHO      N  HOW", "a     1000  well", "J\u{f6}rg     7", "      ----", "", "      1007"]
            .map(|line| format!("{line}\n"));
        assert_eq!(grid.to_string(), lines.concat());
    }

    #[test]
    fn what_would_move_other_text_is_shown_by_its_number() {
        assert_eq!(plain("a,\"b\" 'c' \\ \u{f6} \u{65e5}"), "a,\"b\" 'c' \\ \u{f6} \u{65e5}");
        assert_eq!(plain("\u{202e}moc\u{1b}[2J\n"), "\\u{202e}moc\\u{1b}[2J\\n");
    }
}
