//! CSV for spreadsheets, as in RFC 4180, with a header line. Money is in dollars with a decimal point, audio in
//! milliseconds.

use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

use super::Tally;

/// A sheet that is written line by line.
#[derive(Debug)]
pub struct Sheet<W: Write>(Writer<W>);

impl<W: Write> Sheet<W> {
    /// Begins a sheet.
    pub fn new(out: W) -> Self {
        let mut builder = WriterBuilder::new();
        // Quote every text: where semicolons separate the cells, a spreadsheet splits an unquoted text at them.
        Self(builder.terminator(Terminator::CRLF).quote_style(QuoteStyle::NonNumeric).from_writer(out))
    }

    /// Writes the names of the columns.
    pub fn head<const N: usize>(&mut self, names: [&str; N]) -> io::Result<()> {
        Ok(self.0.write_record(names)?)
    }

    /// Writes a line.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) -> io::Result<()> {
        Ok(self.0.write_record(cells.map(harmless))?)
    }

    /// Writes out what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns the cells of a tally: requests, audio and money.
pub fn tally_cells(tally: Tally) -> [String; 3] {
    [tally.requests.to_string(), tally.audio_ms.get().to_string(), tally.spent_usd.to_string()]
}

/// Makes a cell harmless for spreadsheets, which run a cell that begins like a formula (OWASP, "CSV Injection").
/// The names of subjects and models come from outside. A leading apostrophe makes the cell a text; no number here begins
/// like a formula. JSON has the names unchanged.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_cell_and_no_formula() {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out);
        let names = ["alice", "a,\"b\"", "a;=1+1", "=1+1", "+49 30", "-1", "@SUM(A1)", "\u{ff1d}1", "a=b", "0.0045"];
        sheet.row(names.map(str::to_owned)).unwrap();
        sheet.flush().unwrap();
        drop(sheet);
        let line = "\"alice\",\"a,\"\"b\"\"\",\"a;=1+1\",\"'=1+1\",\"'+49 30\",\"'-1\",\"'@SUM(A1)\",\"'\u{ff1d}1\",\"a=b\",0.0045\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), line);
    }
}
