//! Whatever a table of parameters holds, an environment is made that works, or an error is given
//! that names the parameter.

use assay_environments::{Actions, BatchedStep, catalogue, parameters::ParameterError, random::Seed};
use proptest::prelude::*;

/// Numbers, words and other things, some of them allowed for some parameter.
fn value() -> impl Strategy<Value = toml::Value> {
    prop_oneof![
        (-3i64..40).prop_map(toml::Value::from),
        prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(1 << 40), Just(100_000)].prop_map(toml::Value::from),
        (-1.5f64..1.5).prop_map(toml::Value::from),
        prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(-0.0)].prop_map(toml::Value::from),
        any::<bool>().prop_map(toml::Value::from),
        "[a-z0-9_SFHG.#\\n]{0,12}".prop_map(toml::Value::from),
        Just(toml::Value::Array(vec![1.into(), "x".into()])),
        Just(toml::Value::Table(toml::Table::new())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn any_parameters_make_an_environment_or_an_error(
        entry in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), value()), 0..3),
    ) {
        let entries = catalogue::entries();
        let entry = entry.get(&entries);
        let names: Vec<&String> = entry.parameters().keys().collect();
        let mut parameters = toml::Table::new();
        for (name, value) in changes {
            if !names.is_empty() {
                parameters.insert((*name.get(&names)).clone(), value);
            }
        }
        if let Ok(mut batch) = entry.make(&parameters, 2, Seed::new(0)) {
            let mut step = BatchedStep::new(batch.as_ref());
            let mut actions = Actions::zeros(batch.action_space(), 2);
            let mut rng = Seed::new(0).stream("actions");
            batch.reset(&mut step.observations).unwrap();
            for _ in 0..20 {
                batch.action_space().sample(&mut rng, &mut actions);
                batch.step(&actions, &mut step).unwrap();
            }
        }
    }
}

#[test]
fn an_unreadable_value_is_an_error_that_names_its_parameter() {
    let nonsense = toml::Value::Array(vec![toml::Value::Table(toml::Table::new())]);
    for entry in catalogue::entries() {
        for name in entry.parameters().keys() {
            let given = toml::Table::from_iter([(name.clone(), nonsense.clone())]);
            let message = entry.make(&given, 1, Seed::new(0)).err().unwrap().to_string();
            assert!(message.contains(&format!("`{name}`")), "{}: {message}", entry.name());
        }
        let given = toml::Table::from_iter([("no_such_parameter".to_owned(), 1.into())]);
        let error = entry.make(&given, 1, Seed::new(0)).err().unwrap();
        let unknown = matches!(error, assay_environments::Error::Parameter(ParameterError::Unknown { .. }));
        assert!(unknown, "{}: {error}", entry.name());
    }
}
