//! What libFuzzer says of a run, as figures and as a table.

use super::target::Outcome;

/// What was counted; zero where it said nothing.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Inputs that were tried.
    executions: u64,
    /// Of them, in each second.
    per_second: u64,
    /// Edges of the program that were reached.
    edges: u64,
    /// Inputs that reach all of them.
    corpus: u64,
    /// Most memory that was used, in MiB.
    peak_mib: u64,
}

impl Figures {
    /// Reads what a target wrote to its standard error.
    pub(super) fn read(said: &str) -> Self {
        let latest = |word: &str| {
            let words = said.lines().rev().find_map(|line| line.split_once(word).map(|(_, rest)| rest));
            words.map(str::trim_start).map_or(0, number)
        };
        Self {
            executions: latest("stat::number_of_executed_units:"),
            per_second: latest("stat::average_exec_per_sec:"),
            edges: latest(" cov: "),
            corpus: latest(" corp: "),
            peak_mib: latest("stat::peak_rss_mb:"),
        }
    }
}

/// The number that `text` starts with.
fn number(text: &str) -> u64 {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().unwrap_or_default()
}

/// One line for each target.
pub(super) fn table(outcomes: &[Outcome]) -> String {
    let line = |target: &str, cells: [&str; 6]| {
        let [executions, per_second, edges, corpus, peak, findings] = cells;
        format!("{target:<16} {executions:>12} {per_second:>9} {edges:>7} {corpus:>7} {peak:>9} {findings:>9}")
    };
    let head = line("target", ["executions", "each s", "edges", "corpus", "peak MiB", "findings"]);
    let rows = outcomes.iter().map(|Outcome { target, figures, finding }| {
        let Figures { executions, per_second, edges, corpus, peak_mib } = figures;
        let [a, b, c, d, e] = [executions, per_second, edges, corpus, peak_mib].map(ToString::to_string);
        line(target, [&a, &b, &c, &d, &e, if finding.is_some() { "1" } else { "0" }])
    });
    std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_run_are_its_last() {
        let said = "#2\tINITED cov: 90 ft: 91 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                    #81920\tREDUCE cov: 543 ft: 1234 corp: 56/12Kb lim: 81 exec/s: 40960 rss: 45Mb\n\
                    stat::number_of_executed_units: 100321\nstat::average_exec_per_sec:     10032\n\
                    stat::peak_rss_mb:              61\n";
        let figures = Figures { executions: 100_321, per_second: 10_032, edges: 543, corpus: 56, peak_mib: 61 };
        assert_eq!(Figures::read(said), figures);
        assert_eq!(Figures::read("no fuzzer"), Figures::default());
    }
}
