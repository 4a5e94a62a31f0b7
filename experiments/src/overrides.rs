//! Changes to an experiment from the command line.
//!
//! `--set` takes `path=value`, where the path names a field of the experiment file:
//!
//! | override | meaning |
//! |---|---|
//! | `budget=20000` | a field of the experiment |
//! | `evaluation.episodes=5` | a field of a section |
//! | `environment.parameters.gravity=9.8` | a parameter of the environment |
//! | `algorithm.ppo.learning_rate=1e-3` | a parameter of the algorithm with this label (or name) |
//! | `algorithm.ppo.environment.copies=1` | a field of this algorithm's own environment |
//! | `algorithm.*.discount=0.9` | the same for all algorithms |
//!
//! The value is TOML; what is not TOML is taken as text, so `evaluation.mode=sample` needs no
//! quotes.

use assay_environments::parameters;
use toml::{Table, Value};

use crate::Error;

/// Applies overrides in their order to an experiment's table, before it is checked.
pub fn apply(experiment: &mut Table, overrides: &[String]) -> Result<(), Error> {
    for given in overrides {
        let invalid = |reason: String| Error::Override { given: given.clone(), reason };
        let (path, value) = given
            .split_once('=')
            .ok_or_else(|| invalid("`path=value` is needed, for example `budget=20000`".into()))?;
        let (path, value) = (path.trim(), parse(value.trim()));
        match path.strip_prefix("algorithm.") {
            Some(rest) => set_in_algorithms(experiment, rest, value).map_err(invalid)?,
            None => set(experiment, path, value).map_err(invalid)?,
        }
    }
    Ok(())
}

/// A value as TOML, or else as text.
fn parse(text: &str) -> Value {
    let table = format!("value = {text}").parse::<Table>().ok();
    table
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Sets the field at a dotted path; sections on the way are made where they are absent.
fn set(table: &mut Table, path: &str, value: Value) -> Result<(), String> {
    match path.split_once('.') {
        _ if path.is_empty() || path.starts_with('.') => Err("a field's name is missing".into()),
        None => {
            table.insert(path.to_owned(), value);
            Ok(())
        }
        Some((section, rest)) => {
            let section_value = table.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(section_table) = section_value else {
                return Err(format!("`{section}` is not a section"));
            };
            set(section_table, rest, value)
        }
    }
}

/// What an algorithm's section is called.
type Calling<'a> = &'a dyn Fn(&Table) -> Option<String>;

/// `path` is `<label>.<field>`, `<name>.<field>` or `*.<field>`. Labels may contain dots; where one
/// algorithm's label is another one's name, the label is meant.
fn set_in_algorithms(experiment: &mut Table, path: &str, value: Value) -> Result<(), String> {
    let Some(Value::Array(algorithms)) = experiment.get_mut("algorithm") else {
        return Err("the experiment has no algorithms".into());
    };
    let text = |table: &Table, field: &str| table.get(field).and_then(Value::as_str).map(str::to_owned);
    let name = |table: &Table| text(table, "name");
    let label = |table: &Table| text(table, "label").or_else(|| name(table));
    let star = |_: &Table| Some("*".to_owned());
    let callings: [Calling<'_>; 3] = [&star, &label, &name];
    for called in callings {
        let mut applied = false;
        for algorithm in algorithms.iter_mut().filter_map(Value::as_table_mut) {
            let field = called(algorithm)
                .and_then(|called| path.strip_prefix(&called)?.strip_prefix('.').map(str::to_owned));
            if let Some(field) = field {
                applied = true;
                let of_environment = field.starts_with("environment.");
                let field = if of_environment { field } else { format!("parameters.{field}") };
                set(algorithm, &field, value.clone())?;
            }
        }
        if applied {
            return Ok(());
        }
    }
    let known: Vec<String> = algorithms.iter().filter_map(Value::as_table).filter_map(label).collect();
    let called = path.split('.').next().unwrap_or_default();
    Err(parameters::unknown("algorithm", called, known.iter().map(String::as_str)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(overrides: &[&str]) -> Result<Table, Error> {
        let mut table: Table =
            "budget = 1\n[[algorithm]]\nname = \"ppo\"\n[[algorithm]]\nname = \"ppo\"\nlabel = \"v1.5\"\n"
                .parse()
                .unwrap();
        apply(&mut table, &overrides.iter().map(|&o| o.to_owned()).collect::<Vec<_>>())?;
        Ok(table)
    }

    #[test]
    fn values_are_toml_or_else_text() {
        let table = applied(&["budget=20_000", "evaluation.mode = sample", "a.b.c=[1, 2]"]).unwrap();
        assert_eq!(table["budget"].as_integer(), Some(20_000));
        assert_eq!(table["evaluation"]["mode"].as_str(), Some("sample"));
        assert_eq!(table["a"]["b"]["c"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn algorithms_are_called_by_label_name_or_star() {
        let table = applied(&["algorithm.v1.5.rate=1e-3", "algorithm.*.discount=0.9"]).unwrap();
        assert_eq!(table["algorithm"][1]["parameters"]["rate"].as_float(), Some(1e-3));
        assert!(table["algorithm"][0]["parameters"].get("rate").is_none());
        assert_eq!(table["algorithm"][0]["parameters"]["discount"].as_float(), Some(0.9));
        let table = applied(&["algorithm.ppo.environment.copies=4"]).unwrap();
        assert_eq!(table["algorithm"][0]["environment"]["copies"].as_integer(), Some(4));
    }

    #[test]
    fn what_cannot_be_applied_is_named() {
        for (given, part) in [
            ("budget", "path=value"),
            ("=3", "name is missing"),
            ("budget.x=3", "`budget` is not a section"),
            ("algorithm.pppo.rate=1", "did you mean `ppo`?"),
        ] {
            let message = applied(&[given]).unwrap_err().to_string();
            assert!(message.contains(given) && message.contains(part), "{message}");
        }
    }
}
