//! Tables that compare algorithms: one row per metric and algorithm, with the interquartile mean,
//! its interval, and the probability of improvement over the first algorithm. As aligned text, as
//! Markdown and as CSV.

use crate::statistics::{
    Aggregate, Bootstrap, Estimate, Scores, StatisticsError, probability_of_improvement_interval,
};

/// A comparison of algorithms, filled metric by metric.
#[derive(Clone, Debug)]
pub struct Table {
    bootstrap: Bootstrap,
    rows: Vec<Row>,
}

/// One algorithm under one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What is compared, for example `CartPole-v1, final return`.
    pub metric: String,
    /// The algorithm's label.
    pub algorithm: String,
    /// Runs on each task; none behind a single value that others have published.
    pub runs: usize,
    /// The interquartile mean of the scores.
    pub score: Estimate,
    /// The probability that a run of this algorithm beats one of the metric's first algorithm, whose
    /// own row has none.
    pub improvement: Option<Estimate>,
}

impl Table {
    /// An empty table, whose intervals come from `bootstrap`.
    pub fn new(bootstrap: Bootstrap) -> Self {
        Table { bootstrap, rows: Vec::new() }
    }

    /// Adds one row per algorithm, in the order given. Errors, and adds nothing, when their numbers
    /// of tasks differ.
    pub fn add(
        &mut self,
        metric: &str,
        larger_is_better: bool,
        algorithms: &[(&str, &Scores)],
    ) -> Result<(), StatisticsError> {
        let improvement = |scores: &Scores| {
            let first = algorithms[0].1;
            let (better, worse) = if larger_is_better { (scores, first) } else { (first, scores) };
            probability_of_improvement_interval(better, worse, &self.bootstrap)
        };
        let row = |(i, (algorithm, scores)): (usize, &(&str, &Scores))| {
            Ok(Row {
                metric: metric.to_owned(),
                algorithm: (*algorithm).to_owned(),
                runs: scores.runs(),
                score: self.bootstrap.estimate(scores, Aggregate::InterquartileMean),
                improvement: (i > 0).then(|| improvement(scores)).transpose()?,
            })
        };
        let rows = algorithms.iter().enumerate().map(row).collect::<Result<Vec<_>, StatisticsError>>()?;
        self.rows.extend(rows);
        Ok(())
    }

    /// Adds a row with what others have published: one value per run, or a single value, which has no
    /// interval. Errors, and adds nothing, when there is none or one is not finite.
    pub fn add_published(
        &mut self,
        metric: &str,
        label: &str,
        values: &[f64],
    ) -> Result<(), StatisticsError> {
        let (metric, algorithm) = (metric.to_owned(), label.to_owned());
        let scores = Scores::single_task(values)?;
        let (runs, score) = match *values {
            [value] => (0, Estimate { value, low: value, high: value }),
            _ => (values.len(), self.bootstrap.estimate(&scores, Aggregate::InterquartileMean)),
        };
        self.rows.push(Row { metric, algorithm, runs, score, improvement: None });
        Ok(())
    }

    /// The rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Columns aligned with spaces, for a terminal.
    pub fn to_text(&self) -> String {
        let rows = self.cells();
        let widths = widths(&rows);
        let line = |row: &Cells| {
            let cells = row.iter().zip(&widths).enumerate();
            let line: Vec<String> = cells.map(|(column, (cell, width))| pad(cell, *width, column)).collect();
            format!("{}\n", line.join("  ").trim_end())
        };
        rows.iter().map(line).collect()
    }

    /// A Markdown table, aligned in its source too.
    pub fn to_markdown(&self) -> String {
        let mut rows = self.cells();
        for cell in rows.iter_mut().flatten() {
            *cell = cell.replace('|', "\\|");
        }
        let widths = widths(&rows).map(|width| width.max(3));
        let line = |cells: Cells| format!("| {} |\n", cells.join(" | "));
        let row = |row: &Cells| line(std::array::from_fn(|i| pad(&row[i], widths[i], i)));
        let rule = line(std::array::from_fn(|i| {
            let dashes = "-".repeat(widths[i] - 1);
            if is_text(i) { format!(":{dashes}") } else { format!("{dashes}:") }
        }));
        let mut lines = rows.iter().map(row);
        let header = lines.next().unwrap_or_default();
        [header, rule].into_iter().chain(lines).collect()
    }

    /// Comma-separated values, every digit kept, with the confidence in a column of its own. A first
    /// algorithm's improvement is empty.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let number = |x: f64| x.to_string();
        let mut write = |fields: &[String]| {
            writer.write_record(fields).expect("rows have equal lengths, and memory takes them");
        };
        write(&CSV_COLUMNS.map(str::to_owned));
        for row in &self.rows {
            let ends = |e: Option<Estimate>| {
                e.map_or([const { String::new() }; 3], |e| [e.value, e.low, e.high].map(number))
            };
            let mut fields = vec![row.metric.clone(), row.algorithm.clone(), row.runs.to_string()];
            fields.push(number(self.bootstrap.confidence()));
            fields.extend(ends(Some(row.score)));
            fields.extend(ends(row.improvement));
            write(&fields);
        }
        let bytes = writer.into_inner().expect("memory takes them");
        String::from_utf8(bytes).expect("fields are text")
    }

    /// The header and the rows as people read them.
    fn cells(&self) -> Vec<Cells> {
        let percent = self.bootstrap.confidence() * 100.0;
        let interval = format!("{} % interval", (percent * 1e6).round() / 1e6);
        let header = ["metric", "algorithm", "runs", "IQM", &interval, "P(better than first)", &interval];
        let mut cells = vec![header.map(str::to_owned)];
        for rows in self.rows.chunk_by(|a, b| a.metric == b.metric) {
            let digits = decimals(rows);
            cells.extend(rows.iter().enumerate().map(|(i, row)| {
                let metric = if i == 0 { row.metric.clone() } else { String::new() };
                let ends = |e: &Estimate, digits: usize| format!("[{:.digits$}, {:.digits$}]", e.low, e.high);
                let improvement = row.improvement.as_ref();
                let (runs, interval) = match row.runs {
                    0 => ("–".to_owned(), String::new()),
                    runs => (runs.to_string(), ends(&row.score, digits)),
                };
                [
                    metric,
                    row.algorithm.clone(),
                    runs,
                    format!("{:.digits$}", row.score.value),
                    interval,
                    improvement.map_or("–".to_owned(), |e| format!("{:.2}", e.value)),
                    improvement.map_or(String::new(), |e| ends(e, 2)),
                ]
            }));
        }
        cells
    }
}

const COLUMNS: usize = 7;
type Cells = [String; COLUMNS];

const CSV_COLUMNS: [&str; 10] = [
    "metric",
    "algorithm",
    "runs",
    "confidence",
    "iqm",
    "iqm_low",
    "iqm_high",
    "improvement",
    "improvement_low",
    "improvement_high",
];

/// Digits after the point so that the narrowest interval of one metric still shows two significant
/// digits of its width, four digits at most; one where no interval has a width.
fn decimals(rows: &[Row]) -> usize {
    let widths = rows.iter().map(|row| row.score.high - row.score.low).filter(|width| *width > 0.0);
    let narrowest = widths.fold(f64::INFINITY, f64::min);
    if narrowest.is_finite() { (1.0 - narrowest.log10().floor()).clamp(0.0, 4.0) as usize } else { 1 }
}

/// The first two columns are names and stand left; the others are numbers and stand right.
fn is_text(column: usize) -> bool {
    column < 2
}

fn pad(cell: &str, width: usize, column: usize) -> String {
    if is_text(column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
}

fn widths(rows: &[Cells]) -> [usize; COLUMNS] {
    std::array::from_fn(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use assay_environments::random::Seed;

    use super::*;

    fn example() -> Table {
        let mut table = Table::new(Bootstrap::new(200, 0.95, Seed::new(0)).unwrap());
        let ppo = Scores::single_task(&[500.0; 4]).unwrap();
        let mdpo = Scores::single_task(&[510.0; 6]).unwrap();
        table.add("return", true, &[("ppo", &ppo), ("mdpo", &mdpo)]).unwrap();
        table.add("a|b, \"c\"", true, &[("ppo", &ppo)]).unwrap();
        table
    }

    #[test]
    fn text_is_aligned() {
        let expected = "\
metric    algorithm  runs    IQM   95 % interval  P(better than first)  95 % interval
return    ppo           4  500.0  [500.0, 500.0]                     –
          mdpo          6  510.0  [510.0, 510.0]                  1.00   [1.00, 1.00]
a|b, \"c\"  ppo           4  500.0  [500.0, 500.0]                     –
";
        assert_eq!(example().to_text(), expected);
    }

    #[test]
    fn markdown_is_aligned_and_escaped() {
        let text = example().to_markdown();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[1].starts_with("| :-------- | :-------- | ---: | ----: |"), "{text}");
        assert!(lines[4].starts_with("| a\\|b, \"c\" | ppo       |    4 |"), "{text}");
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width), "{text}");
    }

    #[test]
    fn csv_reads_back_with_every_digit() {
        let mut table = Table::new(Bootstrap::new(50, 0.9, Seed::new(0)).unwrap());
        let x = Scores::single_task(&[0.1 + 0.2, 1.0 / 3.0, -7e-300]).unwrap();
        table.add("a, \"quoted\"", true, &[("x", &x), ("y", &x)]).unwrap();
        let text = table.to_csv();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), CSV_COLUMNS.as_slice());
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(&records[0][0], "a, \"quoted\"");
        assert_eq!(records[0][4].parse::<f64>().unwrap(), table.rows()[0].score.value);
        assert_eq!(&records[0][7], "");
        assert_eq!(records[1][8].parse::<f64>().unwrap(), table.rows()[1].improvement.unwrap().low);
    }

    #[test]
    fn a_published_value_has_neither_runs_nor_an_interval() {
        let mut table = example();
        table.add_published("a|b, \"c\"", "published", &[505.0]).unwrap();
        let text = table.to_text();
        let last: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(last, ["published", "–", "505.0", "–"], "{text}");
    }

    #[test]
    fn digits_follow_the_narrowest_interval() {
        let row = |low: f64, high: f64| Row {
            metric: String::new(),
            algorithm: String::new(),
            runs: 1,
            score: Estimate { value: low, low, high },
            improvement: None,
        };
        assert_eq!(decimals(&[row(100.0, 220.0)]), 0);
        assert_eq!(decimals(&[row(100.0, 220.0), row(100.0, 103.0)]), 1);
        assert_eq!(decimals(&[row(0.1, 0.12), row(5.0, 5.0)]), 3);
        assert_eq!(decimals(&[row(0.0, 1e-9)]), 4);
        assert_eq!(decimals(&[row(5.0, 5.0)]), 1);
    }

    #[test]
    fn algorithms_on_different_tasks_are_an_error() {
        let one = Scores::single_task(&[1.0]).unwrap();
        let two = Scores::from_tasks(&[[1.0], [2.0]]).unwrap();
        let mut table = Table::new(Bootstrap::default());
        assert!(table.add("return", true, &[("x", &one), ("y", &two)]).is_err());
        assert_eq!(table.rows(), []);
    }

    #[test]
    fn fewer_is_an_improvement_where_the_metric_says_so() {
        let (few, many) = (Scores::single_task(&[1.0]).unwrap(), Scores::single_task(&[9.0]).unwrap());
        let mut table = Table::new(Bootstrap::new(10, 0.95, Seed::new(0)).unwrap());
        table.add("steps", false, &[("x", &many), ("y", &few)]).unwrap();
        assert_eq!(table.rows()[1].improvement.unwrap().value, 1.0);
    }
}
