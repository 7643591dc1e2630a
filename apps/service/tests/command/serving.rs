//! A service that runs, and commands that ask it.

use std::io::BufReader;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::program::{Program, signal, sync_service, wait_for};
use crate::shop::Shop;

/// What takes longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running service; killed when dropped.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(program: &Program, words: &[&str]) -> Server {
        Server::waited_for(program, words, "Listening on ")
    }

    /// Starts, and takes its address from what it says.
    fn waited_for(program: &Program, words: &[&str], said: &str) -> Server {
        let mut child = program.start(&[&["serve", "--port", "0"], words].concat());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let line = wait_for(&mut stderr, said);
        // What it logs is read, so that it never waits.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        Server { url: url.trim_end_matches(',').to_owned(), child }
    }
}

#[test]
fn commands_ask_a_running_service() {
    let shop = Shop::open();
    let server = Server::start(&shop.program, &["--allow-private-addresses", "--allow-any-path"]);
    let there = |words: &[&str]| shop.program.run(&[&["--service-url", &server.url], words].concat());
    shop.create(&["--service-url", &server.url]).expect(0);
    let deadline = Instant::now() + PATIENCE;
    while there(&["pipelines", "get", "shop"]).expect(0).json()["status"] != "ready" {
        assert!(Instant::now() < deadline, "{}", there(&["pipelines", "get", "shop"]).stdout);
        std::thread::sleep(Duration::from_millis(100));
    }
    let (truth, copy) = shop.customers();
    assert_eq!(copy, truth);
    let listed = there(&["pipelines", "list", "--plain"]).expect(0).stdout;
    assert!(listed.contains("2 of 2 streams, started ") && listed.contains("current to "), "{listed}");
    assert!(there(&["api", "status", "health"]).expect(0).json()["ok"] == true);
    there(&["pipelines", "delete", "shop"]).expect(0);
}

#[test]
fn a_token_is_wanted_where_it_is_asked_for() {
    let program = sync_service();
    let server = Server::start(&program, &["--require-token"]);
    let list = ["--service-url", &server.url, "pipelines", "list"];
    let refused = program.run(&list).expect(1);
    assert!(refused.stderr.contains("Give a token of the service: SERVICE_TOKEN"), "{}", refused.stderr);
    let token = program.run(&["tokens", "create", "me"]).expect(0).json();
    let token = token["token"].as_str().unwrap();
    program.run(&[&["--service-token", token], &list[..]].concat()).expect(0);
}

#[test]
fn a_signal_ends_a_command_that_waits() {
    let shop = Shop::open();
    shop.create(&["--skip-check"]).expect(0);
    let server = Server::start(&shop.program, &["--no-orchestrator"]);
    let words = ["--service-url", &server.url, "pipelines", "wait", "shop", "--event", "evt_1"];
    let waiting = shop.program.start(&words);
    // Signals are listened to before anything is asked; a moment is enough for a program to begin.
    std::thread::sleep(Duration::from_millis(500));
    signal(&waiting, "TERM");
    let ended = waiting.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn webhooks_are_taken_at_a_name() {
    let program = sync_service();
    let words = ["--webhook-listen", "localhost:0", "--no-orchestrator"];
    let server = Server::waited_for(&program, &words, "Taking webhooks on ");
    let url = url::Url::parse(&server.url).unwrap();
    assert!(std::net::TcpStream::connect(&*url.socket_addrs(|| None).unwrap()).is_ok(), "{url}");
    for (pair, why) in [("localhost", "is not HOST:PORT, such as"), ("nobody.invalid:1", "a known name")] {
        let ended = program.run(&["serve", "--webhook-listen", pair]).expect(2);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
}
