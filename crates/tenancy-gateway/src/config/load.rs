//! Reading the configuration: options override the environment, which overrides the file.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::builder::{OsStr, Resettable};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};
use toml::{Table, Value};

use super::Config;

const CONFIG: &str = "config";

/// Reads the configuration, and the matches that it comes from. For `--help`, `--version` and invalid options, prints a
/// message and exits.
///
/// # Errors
///
/// If the file cannot be read or has an invalid or unknown setting, or if settings contradict each other. The error
/// contains no value of the file.
pub fn load(arguments: impl IntoIterator<Item = OsString>) -> Result<(Config, ArgMatches)> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let (command, from_file) = match path(&arguments) {
        None => (Config::command(), Table::new()),
        Some(path) => {
            let path = Path::new(&path);
            let file = read(path).with_context(|| path.display().to_string())?;
            (with_defaults(Config::command(), &file).with_context(|| path.display().to_string())?, file)
        }
    };
    let matches = command.get_matches_from(arguments);
    let mut config = Config::from_arg_matches(&matches)?;
    config.memory &= is_memory(&config, &matches, &from_file)?;
    Ok((config, matches))
}

/// Returns the path of the file. The other settings can only be parsed when its content is known.
fn path(arguments: &[OsString]) -> Option<OsString> {
    let mut arguments = arguments.iter().take_while(|argument| *argument != "--");
    let mut path = None;
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            path = arguments.next().cloned();
        } else if let Some(value) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            path = Some(value.into());
        }
    }
    path.or_else(|| std::env::var_os("GATEWAY_CONFIG").filter(|path| !path.is_empty()))
}

fn read(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path)?;
    // The message of the parser quotes the line, which can contain a secret.
    text.parse::<Table>().map_err(|error| match error.span() {
        Some(span) => {
            let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
            anyhow::anyhow!("invalid TOML in line {line}")
        }
        None => anyhow::anyhow!("invalid TOML"),
    })
}

/// Makes the entries of the file the defaults of the options.
fn with_defaults(mut command: Command, file: &Table) -> Result<Command> {
    for (name, value) in file {
        let settings = || command.get_arguments().filter(|argument| argument.get_id() != CONFIG);
        let found = settings().find(|argument| argument.get_long() == Some(name));
        let Some(argument) = found else { bail!("unknown setting `{}`", name.escape_debug()) };
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(value) => value.to_string(),
            _ => bail!("setting `{name}` must be a string, a number or a boolean"),
        };
        // clap checks defaults only in debug builds, and its message shows the value.
        let is_valid = parses(&command, name, &text);
        let id = argument.get_id().clone();
        ensure!(is_valid, "invalid value of the setting `{name}`");
        command = command.mut_arg(id, |argument| {
            let hides = argument.get_action().takes_values();
            argument.default_value(text).hide_default_value(hides)
        });
    }
    Ok(command)
}

/// Returns whether a value is valid on the command line.
fn parses(command: &Command, name: &str, value: &str) -> bool {
    if name == "memory" {
        return value.parse::<bool>().is_ok();
    }
    // The environment is checked later, and its errors name its variables.
    let command = command.clone().mut_args(|argument| argument.env(Resettable::<OsStr>::Reset));
    command.try_get_matches_from(["gateway", &format!("--{name}={value}")]).is_ok()
}

/// Returns whether data is stored in memory, if `--memory` and `--data` are both set.
///
/// The setting of the stronger source applies. Two settings of the same source contradict each other.
fn is_memory(config: &Config, matches: &ArgMatches, file: &Table) -> Result<bool> {
    let rank = |id: &str| match matches.value_source(id) {
        Some(ValueSource::CommandLine) => 3,
        Some(ValueSource::EnvVariable) => 2,
        _ if file.contains_key(id) => 1,
        _ => 0,
    };
    let (memory, data) = (rank("memory"), rank("data"));
    ensure!(
        !config.memory || memory != data || memory == 0,
        "--memory and --data contradict each other: data is stored either in memory or in the folder {}",
        config.data.display()
    );
    Ok(memory >= data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_file(text: &str, options: &[&str]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let arguments = [&["gateway", "--config", path], options].concat();
        let loaded = load(arguments.into_iter().map(OsString::from));
        loaded.map(|(config, _)| config).map_err(|error| format!("{error:#}").replace(path, "FILE"))
    }

    #[test]
    fn file_sets_what_options_do_not() {
        let text = "listen = \"127.0.0.1:9\"\nrate = 7\nmemory = true\nlog = \"warn\"\n";
        let config = load_file(text, &["--rate", "8"]).unwrap();
        assert_eq!((config.listen.port(), config.rate, config.memory), (9, 8, true));
        assert_eq!(config.log, super::super::Level::Warn);
        assert_eq!(load_file("", &[]).unwrap().rate, 100);
        assert!(!load_file("memory = false", &[]).unwrap().memory);
    }

    #[test]
    fn rejects_unknown_and_invalid_settings_without_showing_values() {
        for (text, error) in [
            ("rat = 7", "FILE: unknown setting `rat`"),
            ("rate = \"s3cret\"", "FILE: invalid value of the setting `rate`"),
            ("rate = -1", "FILE: invalid value of the setting `rate`"),
            ("memory = \"s3cret\"", "FILE: invalid value of the setting `memory`"),
            ("rate = [7]", "FILE: setting `rate` must be a string, a number or a boolean"),
            ("rate = 7\ntenancy-key = s3cret", "FILE: invalid TOML in line 2"),
            ("config = \"other\"", "FILE: unknown setting `config`"),
        ] {
            assert_eq!(load_file(text, &[]).unwrap_err(), error, "{text}");
        }
        assert!(load(["gateway", "--config=/nowhere.toml"].map(OsString::from)).is_err());
    }

    #[test]
    fn memory_and_data_of_one_source_contradict_each_other() {
        let error = load_file("", &["--memory", "--data", "d"]).unwrap_err();
        assert!(error.contains("--memory and --data contradict"), "{error}");
        assert!(load_file("memory = true\ndata = \"d\"", &[]).is_err());
        assert!(!load_file("memory = true", &["--data", "d"]).unwrap().memory, "options override the file");
        assert!(load_file("data = \"d\"", &["--memory"]).unwrap().memory);
    }
}
