//! Help, manual pages, completions, the document.

use crate::program::sync_service;

#[test]
fn help_names_everything() {
    let program = sync_service();
    let help = program.run(&["--help"]).expect(0).stdout;
    for word in ["serve", "webhook", "pipelines", "tokens", "keys", "api", "130  interrupted"] {
        assert!(help.contains(word), "{word}:\n{help}");
    }
    let help = program.run(&["pipelines", "create", "--help"]).expect(0).stdout;
    assert!(help.contains("--source.stripe.api-key sk_test_…"), "{help}");
    assert!(program.run(&["--version"]).expect(0).stdout.starts_with("sync-service 0."));
    assert!(!program.path(".stripe-sync").exists(), "help makes no store");
}

#[test]
fn pages_are_made_of_the_words() {
    let program = sync_service();
    let page = program.run(&["man", "pipelines", "sync"]).expect(0).stdout;
    assert!(page.contains(".TH sync-service-pipelines-sync") && page.contains("chunk"), "{page}");
    let head = page.lines().find(|line| line.starts_with(".TH")).unwrap();
    assert!(head.contains(concat!("\"sync-service ", env!("CARGO_PKG_VERSION"), "\"")), "{head}");
    let unknown = program.run(&["man", "pipelines", "sink"]).expect(2);
    assert!(unknown.stderr.contains("there is no command `sink`; there are list"), "{}", unknown.stderr);
    assert!(program.run(&["completions", "bash"]).expect(0).stdout.contains("sync-service"));
    let document = program.run(&["openapi"]).expect(0).json();
    assert_eq!(document["info"]["title"], "Stripe Sync Service");
    let help = program.run(&["api", "pipelines", "--help"]).expect(0).stdout;
    for command in ["list", "check-new", "retry", "wait"] {
        assert!(help.contains(command), "{command}:\n{help}");
    }
}
