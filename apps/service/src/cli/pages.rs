//! `api`, and what is made from the words of the program: completions, manual pages.

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use engine::program::{call, called, lines_of_stdin};
use openapi_cli::perform;
use terminal::failure::Failure;

use super::args::Cli;
use super::client::Client;
use super::generated::ApiArgs;
use super::voice::Voice;

/// What stands at the foot of a manual page.
const VERSION: &str = concat!("sync-service ", env!("CARGO_PKG_VERSION"));

/// `api`: one operation, by its name.
pub(super) async fn api(args: &ApiArgs, client: &Client, voice: &Voice) -> Result<(), Failure> {
    let call = call(args)?;
    let mut out = std::io::stdout();
    let done = perform(call, lines_of_stdin(), |request| client.call(request), &mut out);
    let done = client.unless(async { Ok(done.await) }).await?;
    called(done, &voice.screen, None)
}

/// `completions`.
pub(super) fn completions(shell: Shell, voice: &Voice) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sync-service", &mut script);
    voice.say(String::from_utf8_lossy(&script).trim_end());
}

/// `man`: the page of the program, or of one of its commands (`pipelines sync`).
pub(super) fn manual(words: &[String], voice: &Voice) -> Result<(), Failure> {
    let mut page = Cli::command();
    page.build();
    for word in words {
        let known: Vec<&str> = page.get_subcommands().map(Command::get_name).collect();
        let unknown =
            || Failure::usage(format!("there is no command `{word}`; there are {}", known.join(", ")));
        page = page.find_subcommand(word).cloned().ok_or_else(unknown)?;
    }
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(page).source(VERSION).manual("sync-service").render(&mut text);
    rendered.map_err(|error| Failure::failed(format!("the page cannot be made: {error}")))?;
    voice.say(String::from_utf8_lossy(&text).trim_end());
    Ok(())
}
