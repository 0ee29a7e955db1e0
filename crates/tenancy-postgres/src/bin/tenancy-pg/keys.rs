//! The commands on keys.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use humantime::{format_duration, format_rfc3339_seconds};
use serde_json::{Value, json};
use tenancy_postgres::{KeyInfo, SigningKey};

use crate::args::{Global, KeyCommand, Secret};
use crate::connect::connect;
use crate::failure::Failure;
use crate::key_file;
use crate::output::Output;

/// Runs a command. Files are read before the connection is made.
pub(crate) async fn run(global: &Global, command: KeyCommand, output: &mut Output) -> Result<(), Failure> {
    let name = command.name();
    match command {
        KeyCommand::Generate { id, out } => generate(id, out.as_deref(), output),
        KeyCommand::Add { id, secret } => {
            let key = read(id, &secret)?;
            connect(global, name).await?.add_key(&key).await?;
            output.document([format!("added key {id}")], || json!({ "id": id, "added": true }))
        }
        KeyCommand::Rotate { old, new, secret, grace } => {
            let key = read(new, &secret)?;
            connect(global, name).await?.rotate_key(old, &key, grace).await?;
            let line = format!("added key {new}; key {old} ends in {}", format_duration(grace));
            let seconds = grace.as_secs_f64();
            output.document([line], || json!({ "added": new, "retired": old, "grace_seconds": seconds }))
        }
        KeyCommand::Retire { id, at } => {
            connect(global, name).await?.retire_key(id, at).await?;
            output.document([format!("retired key {id}")], || json!({ "id": id, "retired": true }))
        }
        KeyCommand::List => output.each(&connect(global, name).await?.keys().await?, line, document),
    }
}

fn read(id: i32, secret: &Secret) -> Result<SigningKey, Failure> {
    let text = match &secret.file {
        Some(path) => fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?,
        None => env::var("TENANCY_SECRET").map_err(|_| {
            Failure::Usage("the secret is missing: use --secret-file FILE, or set TENANCY_SECRET".to_owned())
        })?,
    };
    let text = text.trim();
    let key = if text.contains(':') { text.parse() } else { format!("{id}:{text}").parse::<SigningKey>() };
    let key = key.map_err(|error| Failure::Usage(format!("invalid secret: {error}")))?;
    if key.id() != id {
        return Err(Failure::Usage(format!("the secret belongs to key {}, not to key {id}", key.id())));
    }
    Ok(key)
}

fn generate(id: i32, out: Option<&Path>, output: &mut Output) -> Result<(), Failure> {
    let mut secret = [0; SigningKey::MIN_SECRET];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::Usage(format!("cannot get random bytes: {error}")))?;
    let mut key = format!("{id}:");
    for byte in secret {
        // Writing to a string does not fail.
        let _ = write!(key, "{byte:02x}");
    }
    let Some(path) = out else {
        output.aside(format_args!(
            "set it as TENANCY_KEY in the service's environment, and add it to the database: \
             TENANCY_SECRET=… tenancy-pg key add {id}"
        ));
        return output.document([&key], || json!({ "id": id, "key": key }));
    };
    key_file::create(path, &format!("{key}\n"))
        .map_err(|error| Failure::Usage(format!("cannot create {}: {error}", path.display())))?;
    let path = path.display();
    output.aside(format_args!(
        "set it in the service's environment, TENANCY_KEY=\"$(cat {path})\", and add it to the database: \
         tenancy-pg key add {id} --secret-file {path}"
    ));
    output.document([format!("key {id} is in {path}")], || json!({ "id": id, "file": path.to_string() }))
}

fn line(key: &KeyInfo) -> String {
    key.not_after.map_or_else(|| key.id.to_string(), |time| format!("{} until {}", key.id, rfc3339(time)))
}

fn document(key: &KeyInfo) -> Value {
    json!({ "id": key.id, "not_after": key.not_after.map(rfc3339) })
}

/// Formats a time. Postgres has times outside of the format's range.
fn rfc3339(time: SystemTime) -> String {
    if time < UNIX_EPOCH {
        return "-infinity".to_owned();
    }
    let mut text = String::new();
    match write!(text, "{}", format_rfc3339_seconds(time)) {
        Ok(()) => text,
        Err(_) => "infinity".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn formats_times_outside_of_the_range() {
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(1_700_000_000)), "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "-infinity");
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(1 << 40)), "infinity");
    }
}
