//! Named parameters, checked.
//!
//! Environments, algorithms and experiments are configured by plain `serde` structs. This module
//! reads such a struct from a table so that every mistake is reported with the field, the value,
//! what is allowed and, for a name, the nearest spelling.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error as ThisError;

/// A mistake in a named choice or parameter.
#[derive(Debug, Clone, PartialEq, ThisError)]
pub enum ParameterError {
    /// A name that is not known.
    #[error("unknown {kind} `{given}`{}; known: {}", suggestion(.nearest), .known.join(", "))]
    Unknown {
        /// What was named: `environment`, `algorithm`, `field of ppo`, …
        kind: String,
        /// The unknown name.
        given: String,
        /// The most similar known name, if one is similar at all.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// A value out of its range.
    #[error("`{field}` is {value}; allowed: {allowed}")]
    OutOfRange {
        /// The field's name.
        field: String,
        /// The value given.
        value: String,
        /// What is allowed, in words.
        allowed: String,
    },
    /// A value of the wrong type or form.
    #[error("`{field}` is {value}, which cannot be read: {reason}")]
    Malformed {
        /// The field's name, or the whole table's.
        field: String,
        /// The value given.
        value: String,
        /// What the reader says.
        reason: String,
    },
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// An [`Unknown`](ParameterError::Unknown) error with the nearest known spelling.
pub fn unknown<'a>(kind: &str, given: &str, known: impl IntoIterator<Item = &'a str>) -> ParameterError {
    let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
    let fold = |s: &str| s.to_lowercase().replace(['-', '_', ' '], "");
    let nearest = known
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&fold(name), &fold(given)), name))
        .filter(|(similarity, _)| *similarity > 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone());
    ParameterError::Unknown { kind: kind.into(), given: given.into(), nearest, known }
}

/// Errors unless `allowed` holds: `require("discount", x, (0.0..=1.0).contains(&x), "0 to 1")`.
pub fn require(
    field: &str,
    value: impl std::fmt::Display,
    holds: bool,
    allowed: &str,
) -> Result<(), ParameterError> {
    if holds {
        Ok(())
    } else {
        Err(ParameterError::OutOfRange {
            field: field.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        })
    }
}

/// Reads `given` over `T`'s defaults: fields that are absent keep their default, unknown fields
/// and values of the wrong type are errors. `kind` names the owner in messages, for example `ppo`.
pub fn read<T: Serialize + DeserializeOwned + Default>(
    kind: &str,
    given: &toml::Table,
) -> Result<T, ParameterError> {
    let defaults = toml::Table::try_from(T::default()).map_err(|e| ParameterError::Malformed {
        field: kind.into(),
        value: "its default".into(),
        reason: e.to_string(),
    })?;
    let mut merged = defaults.clone();
    for (field, value) in given {
        merged.insert(field.clone(), value.clone());
        // Absent optional fields are not in the serialised default, so an unknown name shows only
        // when the struct refuses it.
        let mut alone = defaults.clone();
        alone.insert(field.clone(), value.clone());
        if let Err(error) = alone.try_into::<T>() {
            let reason = error.message().trim().to_owned();
            return Err(unknown_name(kind, field, &reason).unwrap_or_else(|| ParameterError::Malformed {
                field: field.clone(),
                value: value.to_string(),
                reason,
            }));
        }
    }
    merged.try_into().map_err(|e: toml::de::Error| ParameterError::Malformed {
        field: kind.into(),
        value: given.to_string(),
        reason: e.message().into(),
    })
}

/// The error behind serde's message about an unknown field or variant, which has the name and then
/// the known ones in backquotes: of the table itself, or somewhere within `field`.
fn unknown_name(kind: &str, field: &str, message: &str) -> Option<ParameterError> {
    let mut names = message.split('`').skip(1).step_by(2);
    let given = names.next()?;
    let owner = if message.starts_with("unknown variant") {
        field.to_owned()
    } else if !message.starts_with("unknown field") {
        return None;
    } else if given == field {
        format!("field of {kind}")
    } else {
        format!("field of {kind}'s {field}")
    };
    Some(unknown(&owner, given, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Example {
        discount: f64,
        steps: usize,
        limit: Option<usize>,
        schedule: Schedule,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case", deny_unknown_fields)]
    enum Schedule {
        #[default]
        Constant,
        Linear {
            end: f64,
        },
    }

    impl Default for Example {
        fn default() -> Self {
            Example { discount: 0.99, steps: 10, limit: None, schedule: Schedule::Constant }
        }
    }

    fn parse(text: &str) -> Result<Example, ParameterError> {
        read("example", &text.parse().unwrap())
    }

    #[test]
    fn absent_fields_keep_their_default() {
        assert_eq!(parse("steps = 3").unwrap(), Example { steps: 3, ..Example::default() });
        assert_eq!(parse("limit = 3").unwrap().limit, Some(3));
    }

    #[test]
    fn an_unknown_field_is_named_with_the_nearest_spelling() {
        let message = parse("discont = 0.5").unwrap_err().to_string();
        assert!(message.contains("unknown field of example `discont`"), "{message}");
        assert!(message.contains("did you mean `discount`?"), "{message}");
        assert!(message.contains("steps"), "{message}");
    }

    #[test]
    fn an_unknown_name_within_a_field_is_named_and_not_the_field() {
        let message = parse("schedule = { linear = { ends = 0.0 } }").unwrap_err().to_string();
        assert_eq!(message, "unknown field of example's schedule `ends` (did you mean `end`?); known: end");
        let message = parse("schedule = \"constnat\"").unwrap_err().to_string();
        assert_eq!(
            message,
            "unknown schedule `constnat` (did you mean `constant`?); known: constant, linear"
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named() {
        let message = parse("steps = -1").unwrap_err().to_string();
        assert!(message.contains("`steps` is -1"), "{message}");
        let message = parse("steps = \"many\"").unwrap_err().to_string();
        assert!(message.contains("`steps` is \"many\""), "{message}");
    }

    #[test]
    fn a_name_like_nothing_known_gets_no_suggestion() {
        let message = unknown("environment", "zzz", ["CartPole-v1"]).to_string();
        assert_eq!(message, "unknown environment `zzz`; known: CartPole-v1");
    }
}
