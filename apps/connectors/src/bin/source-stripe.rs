//! The Stripe source as a program.

use std::collections::HashMap;
use std::process::ExitCode;

use source_stripe::StripeSource;

fn main() -> ExitCode {
    connectors::run(async {
        // Variables that are not text cannot be ours.
        let variables: HashMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        match connectors::stripe_options(|name| variables.get(name).map(String::as_str)) {
            Ok(options) => {
                protocol::program::run_source(&StripeSource::new(options), std::env::args_os()).await
            }
            Err(error) => protocol::program::failed(&error),
        }
    })
}
