//! What came of the attempts, for readers.

use super::Row;
use crate::bypass::ALL;
use crate::ui::table::table;

/// The rows, those of one vector together, and a last line that counts. What is not as it should be is in capitals.
pub(super) fn text(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        let result = if row.is_bad() { row.result.to_uppercase() } else { row.result.to_owned() };
        [row.vector, row.level.name(), &result, &row.stopped_by, &row.reported_as].map(str::to_owned).to_vec()
    };
    let body: Vec<Vec<String>> = sorted(rows).iter().map(cells).collect();
    let count = |result: &&str| rows.iter().filter(|row| row.result == *result).count();
    let results = ["held", "allowed", "untried", "seen", "leaked", "wrong"].iter();
    let counts =
        results.map(|result| (count(result), result)).filter(|(count, result)| *count > 0 || **result == "leaked");
    let counts: Vec<String> = counts.map(|(count, result)| format!("{count} {result}")).collect();
    format!("{}\n{}\n", table(&["VECTOR", "LEVEL", "RESULT", "STOPPED BY", "REPORTED AS"], &body), counts.join(", "))
}

/// The same as a table in Markdown; levels with the same outcome share a line.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut lines: Vec<(Row, Vec<&str>)> = Vec::new();
    for row in sorted(rows) {
        let same = |(line, _): &&mut (Row, Vec<&str>)| {
            (line.vector, line.result) == (row.vector, row.result)
                && (&line.stopped_by, &line.reported_as) == (&row.stopped_by, &row.reported_as)
        };
        match lines.iter_mut().find(same) {
            Some((_, levels)) => levels.push(row.level.name()),
            None => {
                let level = row.level.name();
                lines.push((row, vec![level]));
            }
        }
    }
    let line = |(row, levels): &(Row, Vec<&str>)| {
        let cells = [row.vector, row.what, &levels.join(", "), row.result, &row.stopped_by, &row.reported_as];
        format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
    };
    let head = "| vector | what is tried | as | result | stopped by | reported as |\n|---|---|---|---|---|---|\n";
    lines.iter().map(line).fold(head.to_owned(), |text, line| text + &line)
}

/// In the order of the list of vectors.
fn sorted(rows: &[Row]) -> Vec<Row> {
    let mut sorted = rows.to_vec();
    sorted.sort_by_key(|row| ALL.iter().position(|vector| vector.id == row.vector));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bypass::Level;

    fn row(level: Level, result: &'static str, stopped_by: &str) -> Row {
        let (vector, what) = (ALL[0].id, ALL[0].what);
        Row { vector, what, level, result, stopped_by: stopped_by.into(), reported_as: "-".into() }
    }

    #[test]
    fn levels_share_a_line_only_with_the_same_outcome() {
        let rows =
            [row(Level::User, "held", "x"), row(Level::Root, "held", "x"), row(Level::NetAdmin, "leaked", "y|z")];
        let text = markdown(&rows);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("| user, root | held | x |") && lines[1].contains("| net-admin | leaked | y\\|z |"));
    }

    #[test]
    fn the_last_line_counts_and_what_is_bad_stands_out() {
        let text = text(&[row(Level::User, "held", "x"), row(Level::Root, "wrong", "y")]);
        assert!(text.ends_with("\n1 held, 0 leaked, 1 wrong\n") && text.contains(" WRONG "), "{text}");
    }
}
