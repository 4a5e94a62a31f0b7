//! Experiment files: what is written reads back, what is wrong is named, and nothing panics.

use assay_experiments::{Run, experiment::Experiment};
use proptest::prelude::*;

use super::{SMALL, prepared};

fn parse(text: &str) -> Result<Experiment, String> {
    Experiment::parse(text, "test.toml", &[]).map_err(|e| e.to_string())
}

fn with_overrides(overrides: &[&str]) -> Result<Experiment, String> {
    let overrides: Vec<String> = overrides.iter().map(|&o| o.to_owned()).collect();
    Experiment::parse(SMALL, "test.toml", &overrides).map_err(|e| e.to_string())
}

const MINIMAL: &str = r#"
    name = "minimal"
    budget = 2_000
    [environment]
    name = "CartPole-v1"
    [[algorithm]]
    name = "random"
"#;

#[test]
fn absent_fields_have_the_documented_defaults() {
    let experiment = parse(MINIMAL).unwrap();
    assert_eq!(experiment.seeds, [0]);
    assert_eq!(experiment.evaluation.interval, 100);
    assert_eq!(experiment.evaluation.episodes, 10);
    assert_eq!((experiment.records.interval, experiment.records.checkpoint), (2, 200));
    assert_eq!(experiment.environment.copies, 1);
    assert_eq!(experiment.algorithms[0].label, "random");
}

#[test]
fn a_run_has_every_parameter_and_reads_back_from_its_folder() {
    let root = tempfile::tempdir().unwrap();
    let records = prepared(SMALL, root.path());
    assert_eq!(records.len(), 4);
    for record in &records {
        assert_eq!(Run::read(&record.folder.join("config.toml")).unwrap(), record.run);
    }
    let sac = &records[1].run;
    assert_eq!(sac.algorithm.parameters["batch_size"].as_integer(), Some(8));
    assert!(sac.algorithm.parameters.contains_key("discount"), "defaults are written out");
    assert_eq!(sac.environment.parameters["time_limit"].as_integer(), Some(200));
}

#[test]
fn schedules_go_over_the_budget_unless_told_otherwise() {
    let run = |parameters: &str| {
        let text = MINIMAL
            .replace("CartPole-v1", "Pendulum-v1")
            .replace("\"random\"", &format!("\"mdpo-off-policy\"\nparameters = {{ {parameters} }}"));
        parse(&text).unwrap().runs().unwrap().remove(0)
    };
    assert_eq!(run("hidden = [4]").algorithm.parameters["total_steps"].as_integer(), Some(2_000));
    assert_eq!(run("total_steps = 7").algorithm.parameters["total_steps"].as_integer(), Some(7));
}

#[test]
fn an_algorithm_can_have_an_environment_of_its_own() {
    let experiment = with_overrides(&[
        "environment.parameters.time_limit=50",
        "algorithm.sac.environment.copies=1",
        "algorithm.random.environment.name=CartPole-v1",
    ])
    .unwrap();
    let runs = experiment.runs().unwrap();
    let (random, sac) = (&runs[0].environment, &runs[1].environment);
    assert_eq!((sac.name.as_str(), sac.copies), ("Pendulum-v1", 1));
    assert_eq!(sac.parameters["time_limit"].as_integer(), Some(50));
    assert_eq!((random.name.as_str(), random.copies), ("CartPole-v1", 2));
    assert_eq!(random.parameters["time_limit"].as_integer(), Some(500), "its own defaults");
}

#[test]
fn every_mistake_names_place_field_value_and_what_is_allowed() {
    let replaced = |from: &str, to: &str| {
        assert!(MINIMAL.contains(from), "{from}");
        parse(&MINIMAL.replace(from, to)).unwrap_err()
    };
    let cases = [
        (replaced("budget = 2_000", "budgt = 2_000"), &["budgt", "did you mean `budget`?"][..]),
        (replaced("budget = 2_000", "budget = 0"), &["`budget` is 0", "at least 1"]),
        (replaced("budget = 2_000", "budget = -4"), &["`budget` is -4"]),
        (replaced("budget = 2_000", "budget = \"many\""), &["`budget` is \"many\""]),
        (replaced("budget = 2_000", "budget = 10\nseeds = 0"), &["`seeds` is 0", "from 1"]),
        (replaced("budget = 2_000", "budget = 10\nseeds = [1, 1]"), &["`seeds` is [1, 1]", "different"]),
        (replaced("budget = 2_000", "budget = 10\nseeds = [-1]"), &["`seeds` is [-1]", "none negative"]),
        (replaced("budget = 2_000", "budget = 10\ndevice = \"gpu\""), &["unknown device `gpu`", "cuda"]),
        (replaced("budget = 2_000", "budget = 10\ndevice = \"cuda\""), &["cuda"]),
        (replaced("\"minimal\"", "\"a/b\""), &["`name` is `a/b`", "letters"]),
        (replaced("\"minimal\"", "\"\""), &["`name`", "letters"]),
        (
            replaced("CartPole-v1", "CartPol-v1"),
            &["[environment]", "`CartPol-v1`", "did you mean `CartPole-v1`?"],
        ),
        (replaced("\"random\"", "\"randm\""), &["algorithm", "did you mean `random`?"]),
        (replaced("\"random\"", "\"random\"\nlabel = \"..\""), &["`label` is `..`"]),
        (
            replaced("\"random\"", "\"random\"\nlable = \"x\""),
            &["[[algorithm]] number 1", "did you mean `label`?"],
        ),
        (
            replaced("\"random\"", "\"random\"\nparameters = { step = 3 }"),
            &["`random`", "did you mean `steps`?"],
        ),
        (replaced("\"random\"", "\"random\"\nparameters = { steps = 0 }"), &["`steps` is 0", "at least 1"]),
        (
            replaced("\"random\"", "\"random\"\nenvironment = { copies = 0 }"),
            &["`copies` is 0", "1 to 65536"],
        ),
        (
            replaced("\"random\"", "\"random\"\n[[algorithm]]\nname = \"random\""),
            &["`label`", "no other algorithm"],
        ),
        (replaced("\"random\"", "\"sac\""), &["sac needs", "Discrete(2)"]),
        (replaced("[[algorithm]]", "[algorithm]"), &["sections [[algorithm]] are needed"]),
        (
            replaced("[environment]", "[evaluation]\nepisodes = 0\n[environment]"),
            &["[evaluation]", "`episodes` is 0"],
        ),
        (
            replaced("[environment]", "[evaluation]\nmode = \"best\"\n[environment]"),
            &["\"best\"", "greedy, sample"],
        ),
        (
            replaced("[environment]", "[evaluation]\nepisode = 1\n[environment]"),
            &["did you mean `episodes`?"],
        ),
        (
            replaced("[environment]", "[records]\ncheckpont = 1\n[environment]"),
            &["did you mean `checkpoint`?"],
        ),
        (replaced("[environment]", "[environment"), &["test.toml", "line"]),
    ];
    for (message, parts) in cases {
        for part in parts {
            assert!(message.contains("test.toml") && message.contains(part), "{part}: {message}");
        }
    }
    let message = with_overrides(&["algorithm.sac.learning_rat=1"]).unwrap_err();
    assert!(message.contains("did you mean `learning_rate`?"), "{message}");
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9(=][a-zA-Z0-9 ._+()=,-]{0,20}[a-z]"
}

prop_compose! {
    fn experiment()(
        name in name(),
        labels in prop::collection::hash_set("[a-z]{1,3}[0-9.]{1,4}x", 1..4),
        seeds in prop_oneof![
            (1u64..40).prop_map(|n| n.to_string()),
            prop::collection::hash_set(0..=i64::MAX, 1..5).prop_map(|set| format!("{set:?}").replace(['{', '}'], "")
                .split(", ").collect::<Vec<_>>().join(", ")).prop_map(|list| format!("[{list}]")),
        ],
        budget in 1..=i64::MAX,
        evaluation in prop::option::of((0u64..1_000_000, 1usize..100, any::<bool>(), 1u64..100_000)),
        records in prop::option::of((0u64..1_000_000, 0u64..1_000_000)),
        copies in 1usize..20,
        steps in 1usize..1000,
        gravity in 0.1f64..100.0,
    ) -> String {
        let evaluation = evaluation.map_or(String::new(), |(interval, episodes, greedy, limit)| format!(
            "[evaluation]\ninterval = {interval}\nepisodes = {episodes}\nmode = \"{}\"\nstep_limit = {limit}\n",
            if greedy { "greedy" } else { "sample" },
        ));
        let records = records.map_or(String::new(), |(interval, checkpoint)| format!(
            "[records]\ninterval = {interval}\ncheckpoint = {checkpoint}\n"
        ));
        let algorithms: String = labels.iter().map(|label| format!(
            "[[algorithm]]\nname = \"random\"\nlabel = \"{label}\"\nparameters = {{ steps = {steps} }}\n"
        )).collect();
        format!(
            "name = \"{name}\"\nseeds = {seeds}\nbudget = {budget}\n{evaluation}{records}\
             [environment]\nname = \"Pendulum-v1\"\ncopies = {copies}\nparameters = {{ gravity = {gravity:?} }}\n\
             {algorithms}"
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_read_is_written_and_reads_back(text in experiment()) {
        let experiment = parse(&text).map_err(TestCaseError::fail)?;
        prop_assert_eq!(parse(&experiment.to_toml()).map_err(TestCaseError::fail)?, experiment);
    }

    #[test]
    fn an_unknown_field_is_named_wherever_it_stands(
        field in "[a-z]{3,12}_x", section in 0usize..4,
    ) {
        let heads = ["name = \"minimal\"", "[environment]", "[[algorithm]]\n    name", "[records]"];
        let text = format!("{MINIMAL}\n    [records]\n    interval = 3");
        let text = match section {
            2 => text.replace(heads[2], &format!("[[algorithm]]\n{field} = 1\nname")),
            i => text.replace(heads[i], &format!("{}\n{field} = 1", heads[i])),
        };
        let message = parse(&text).err().unwrap_or_default();
        prop_assert!(message.contains(&format!("`{field}`")), "{message}");
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_change_to_an_experiment_makes_the_reader_panic(
        at in 0usize..700, removed in 0usize..30, inserted in "[\\[\\]{}=\"'.,a-z0-9 \n-]{0,6}",
    ) {
        let (start, end) = (at.min(SMALL.len()), (at + removed).min(SMALL.len()));
        let _ = parse(&format!("{}{inserted}{}", &SMALL[..start], &SMALL[end..]));
    }

    #[test]
    fn no_override_panics(given in "\\PC{0,40}", path in "[a-z.*]{0,12}", value in "\\PC{0,10}") {
        let _ = with_overrides(&[&given]);
        let _ = with_overrides(&[&format!("{path}={value}")]);
        let _ = with_overrides(&[&format!("algorithm.sac.{path}={value}")]);
    }
}
