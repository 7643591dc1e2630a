//! `conformance`, on the template in Python and on what is not one.

use serde_json::Value;

use crate::program::{Program, sync_engine};

const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/python/source_notes.py");

fn notes() -> Program {
    sync_engine().file("notes.txt", "milk\nbread\n\neggs, \u{fc}ber six\nstill being writ")
}

#[test]
fn the_template_in_python_passes() {
    let words = ["conformance", "python3", TEMPLATE, "--config", r#"{"path": "notes.txt"}"#];
    let ended = notes().run(&[&words[..], &["--bad-config", r#"{"path": "none"}"#]].concat()).expect(0);
    assert!(ended.stdout.starts_with("source python3 "), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("22 passed, 0 failed, 1 not checked\n"), "{}", ended.stdout);
    let json = notes().run(&[&words[..], &["--json"]].concat()).expect(0).stdout;
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((report["role"].as_str(), report["failed"].as_u64()), (Some("source"), Some(0)));
    let check = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap().clone()
    };
    assert_eq!(check("check fails")["status"], "unchecked");
    assert_eq!(check("statuses")["section"], "docs/connector-spec.md#what-a-source-keeps-to");
}

#[test]
fn a_failure_is_told_with_what_was_expected_and_where_that_is_written() {
    let odd = "import sys\nprint('hello' if sys.argv[1:] != ['spec'] else '{\"type\": \"spec\", \"spec\": {\"config\": {\"type\": \"object\", \"properties\": {}}}}')\n";
    let ended = sync_engine().file("odd.py", odd).run(&["conformance", "source", "python3 odd.py"]).expect(1);
    for expected in [
        "  ok      spec\n",
        "  FAILED  unknown command\n            expected  an exit code other than 0\n            came      exit code 0; stderr is empty\n            see       docs/connector-spec.md#commands\n",
        "  FAILED  discover\n            expected  messages and nothing else on stdout, one JSON object per line\n            came      line 1: ",
        "  -       read: not checked, `discover` fails\n",
    ] {
        assert!(ended.stdout.contains(expected), "{expected}\n{}", ended.stdout);
    }
    let ended = sync_engine().run(&["conformance", "source", "./no-such-program"]).expect(1);
    assert!(ended.stdout.contains("./no-such-program cannot be started"), "{}", ended.stdout);
}

#[test]
fn what_is_wrong_with_the_command_is_told() {
    let refused = sync_engine().run(&["conformance", "true"]).expect(2);
    assert!(refused.stderr.contains("`true` does not tell by its name"), "{}", refused.stderr);
    let refused = sync_engine().run(&["conformance", "source", "true", "--catalog", "{}"]).expect(2);
    assert!(refused.stderr.contains("--catalog: the JSON is malformed"), "{}", refused.stderr);
    sync_engine().run(&["conformance"]).expect(2);
}
