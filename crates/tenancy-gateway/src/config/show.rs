//! The effective configuration.

use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};

use super::Config;

/// Returns the effective settings as TOML, each with its source. Secrets are replaced.
pub fn show(config: &Config, matches: &ArgMatches) -> String {
    let mut text = String::new();
    for argument in Config::command().get_arguments() {
        let (id, Some(name)) = (argument.get_id().as_str(), argument.get_long()) else { continue };
        if ["help", "version", "config"].contains(&id) {
            continue;
        }
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "option",
            Some(ValueSource::EnvVariable) => "environment",
            // The entries of the file are defaults; the built-in defaults of optional settings are not.
            Some(_) if config.config.is_some() && is_of_file(argument, matches, id) => "file",
            _ => "default",
        };
        let value = value(config, argument, matches, id);
        let Some(value) = value else {
            let _ = writeln!(text, "# {name} is not set");
            continue;
        };
        let _ = writeln!(text, "{name} = {value}  # {source}");
    }
    text
}

fn value(config: &Config, argument: &clap::Arg, matches: &ArgMatches, id: &str) -> Option<String> {
    let limits = config.limits();
    match id {
        "memory" => return Some(config.memory.to_string()),
        "max_agents" => return Some(config.max_agents().to_string()),
        "head_timeout" => return Some(limits.head.as_secs().to_string()),
        "idle_timeout" => return Some(limits.idle.as_secs().to_string()),
        _ => {}
    }
    let value = matches.get_raw(id)?.next()?.to_string_lossy().into_owned();
    if argument.is_hide_env_values_set() {
        return Some("\"(secret)\"".to_owned());
    }
    let is_number = value.parse::<i64>().is_ok();
    Some(if is_number { value } else { toml::Value::String(value).to_string() })
}

/// Returns whether a default differs from the built-in one, which means that it comes from the file.
fn is_of_file(argument: &clap::Arg, matches: &ArgMatches, id: &str) -> bool {
    let built_in = argument.get_default_values().first().map(clap::builder::OsStr::as_os_str);
    matches.get_raw(id).and_then(|mut values| values.next()) != built_in
}
