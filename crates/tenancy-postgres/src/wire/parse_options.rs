//! Connection strings, as libpq accepts them.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::options::{
    ChannelBinding, ConnectOptions, DEFAULT_PORT, Host, Keepalive, RootCertificates, SslMode,
    TargetSessionAttrs,
};

/// A connection string that cannot be used.
///
/// The error names the parameter, and never repeats a value: the string may contain a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseOptionsError {
    problem: Problem,
    parameter: Option<Cow<'static, str>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Problem {
    Unknown,
    Unsupported,
    Invalid(&'static str),
    Syntax(&'static str),
}

impl ParseOptionsError {
    /// The name of the parameter that is unknown, unsupported or wrong, if there is one.
    pub fn parameter(&self) -> Option<&str> {
        self.parameter.as_deref()
    }

    fn invalid(parameter: &'static str, expected: &'static str) -> Self {
        Self { problem: Problem::Invalid(expected), parameter: Some(parameter.into()) }
    }

    fn syntax(problem: &'static str) -> Self {
        Self { problem: Problem::Syntax(problem), parameter: None }
    }

    fn unsupported(parameter: &'static str) -> Self {
        Self { problem: Problem::Unsupported, parameter: Some(parameter.into()) }
    }

    /// A name that does not look like one may be part of a password.
    fn unknown(name: &str, is_sure: bool) -> Self {
        let looks_like_one =
            name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let parameter = (is_sure && looks_like_one).then(|| name.to_owned().into());
        Self { problem: Problem::Unknown, parameter }
    }
}

impl fmt::Display for ParseOptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.parameter.as_deref();
        match (self.problem, name) {
            (Problem::Unknown, Some(name)) => write!(f, "unknown connection parameter `{name}`"),
            (Problem::Unknown, None) => f.write_str("unknown connection parameter"),
            (Problem::Unsupported, name) => {
                write!(f, "connection parameter `{}` is not supported", name.unwrap_or_default())
            }
            (Problem::Invalid(expected), name) => {
                write!(f, "invalid connection parameter `{}`: expected {expected}", name.unwrap_or_default())
            }
            (Problem::Syntax(problem), _) => write!(f, "invalid connection string: {problem}"),
        }
    }
}

impl Error for ParseOptionsError {}

impl FromStr for ConnectOptions {
    type Err = ParseOptionsError;

    fn from_str(text: &str) -> Result<Self, ParseOptionsError> {
        Self::parse(text)
    }
}

impl ConnectOptions {
    /// Parses a URL or a key-value string.
    ///
    /// # Errors
    ///
    /// [`ParseOptionsError`] if the string is not well formed, or if a parameter is unknown or has an invalid value.
    pub fn parse(text: &str) -> Result<Self, ParseOptionsError> {
        let url = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let parameters = match url {
            Some(rest) => url_parameters(rest)?,
            None if text.contains("://") && !text.contains('=') => {
                return Err(ParseOptionsError::syntax("a URL begins with postgres:// or postgresql://"));
            }
            None => key_value_parameters(text)?,
        };
        let mut options = Draft::default();
        for parameter in parameters {
            if parameter.value.contains(&0) {
                return Err(ParseOptionsError::syntax("a value contains a zero byte"));
            }
            options.set(&parameter)?;
        }
        options.finish()
    }
}

struct Parameter<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, [u8]>,
    /// Whether the name cannot be part of a value that was not quoted or encoded.
    is_name: bool,
}

// ---- URLs ----

fn url_parameters(rest: &str) -> Result<Vec<Parameter<'_>>, ParseOptionsError> {
    let mut parameters = Vec::new();
    let mut add = |name: &'static str, value: Cow<'static, [u8]>| {
        parameters.push(Parameter { name: name.into(), value, is_name: true });
    };
    let (before_query, query) = match rest.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (rest, None),
    };
    let (authority, database) = match before_query.split_once('/') {
        Some((authority, database)) => (authority, Some(database)),
        None => (before_query, None),
    };
    // The last one: users forget to encode the `@` of a password.
    let hosts = match authority.rsplit_once('@') {
        Some((login, hosts)) => {
            let (user, password) = match login.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (login, None),
            };
            add("user", decode(user)?.into());
            if let Some(password) = password {
                add("password", decode(password)?.into());
            }
            hosts
        }
        None => authority,
    };
    if !hosts.is_empty() {
        let (mut names, mut ports) = (Vec::new(), Vec::new());
        for (index, host) in hosts.split(',').enumerate() {
            let (name, port) = split_port(host)?;
            if index > 0 {
                names.push(b',');
                ports.push(b',');
            }
            names.extend(decode(name)?);
            ports.extend(decode(port.unwrap_or_default())?);
        }
        add("host", names.into());
        add("port", ports.into());
    }
    if let Some(database) = database {
        // The rest of a password with a `/` that is not encoded.
        if database.contains('@') {
            return Err(ParseOptionsError::syntax("`/` or `@` must be percent-encoded before the host"));
        }
        add("dbname", decode(database)?.into());
    }
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(parameters);
    };
    // A password with a `?` that is not encoded has its rest here, and the host behind.
    let is_name = !query.contains('@');
    for pair in query.split('&') {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(ParseOptionsError::syntax("a parameter of the URL has no `=`"));
        };
        let name = text(&decode(name)?, "the name of a parameter is not UTF-8")?.to_owned();
        let (name, value) = match (name.as_str(), value) {
            ("ssl", "true") => ("sslmode".to_owned(), b"require".to_vec()),
            _ => (name, decode(value)?),
        };
        parameters.push(Parameter { name: name.into(), value: value.into(), is_name });
    }
    Ok(parameters)
}

/// Splits `name:port`. An IPv6 address is in brackets.
fn split_port(host: &str) -> Result<(&str, Option<&str>), ParseOptionsError> {
    let Some(bracketed) = host.strip_prefix('[') else {
        return Ok(match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        });
    };
    let invalid =
        || ParseOptionsError::invalid("host", "an IPv6 address in brackets, and a port after a colon");
    let (name, rest) = bracketed.split_once(']').ok_or_else(invalid)?;
    match rest.strip_prefix(':') {
        Some(port) => Ok((name, Some(port))),
        None if rest.is_empty() => Ok((name, None)),
        None => Err(invalid()),
    }
}

fn decode(encoded: &str) -> Result<Vec<u8>, ParseOptionsError> {
    let invalid = || ParseOptionsError::syntax("`%` is not followed by two hexadecimal digits");
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(invalid);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).map_err(|_| invalid())?);
    }
    Ok(decoded)
}

// ---- Key-value strings ----

fn key_value_parameters(text: &str) -> Result<Vec<Parameter<'_>>, ParseOptionsError> {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start();
    let mut is_name = true;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(value) = after.trim_start().strip_prefix('=') else {
            return Err(ParseOptionsError::syntax("a parameter has no `=`"));
        };
        let value = value.trim_start();
        let (value, after, is_quoted) = key_value(value)?;
        parameters.push(Parameter { name: name.into(), value: value.into_bytes().into(), is_name });
        // The words of a password without quotes look like names.
        is_name = is_quoted || name != "password";
        rest = after.trim_start();
    }
    Ok(parameters)
}

/// Reads one value. Returns the rest, and whether the value was quoted and not empty.
fn key_value(text: &str) -> Result<(String, &str, bool), ParseOptionsError> {
    let quoted = text.strip_prefix('\'');
    let text = quoted.unwrap_or(text);
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted.is_some() => {
                let rest = &text[index + 1..];
                // A password without quotes can begin with one.
                if rest.starts_with(|c: char| !c.is_whitespace()) {
                    return Err(ParseOptionsError::syntax("a quoted value is followed by text"));
                }
                let is_quoted = !value.is_empty();
                return Ok((value, rest, is_quoted));
            }
            c if quoted.is_none() && c.is_whitespace() => return Ok((value, &text[index..], false)),
            c => value.push(c),
        }
    }
    if quoted.is_some() {
        return Err(ParseOptionsError::syntax("a quoted value has no end"));
    }
    Ok((value, "", false))
}

// ---- Values ----

/// Options that are being parsed. Some parameters depend on others, in any order.
#[derive(Default)]
struct Draft {
    options: ConnectOptions,
    has_mode: bool,
    keepalives: Option<bool>,
    keepalive: Option<Keepalive>,
    fallback_application_name: Option<String>,
}

impl Draft {
    fn set(&mut self, parameter: &Parameter<'_>) -> Result<(), ParseOptionsError> {
        let options = &mut self.options;
        if parameter.name == "password" {
            options.password = Some(parameter.value.to_vec()).filter(|password| !password.is_empty());
            return Ok(());
        }
        let value = text(&parameter.value, "a value is not UTF-8")?;
        let owned = || Some(value.to_owned()).filter(|value| !value.is_empty());
        let keepalive = self.keepalive.get_or_insert(Keepalive::DEFAULT);
        match &*parameter.name {
            "host" => options.hosts = list(value, |host| Ok(Host::parse(host)))?,
            "hostaddr" => {
                options.host_addresses = list(value, |address| {
                    address.parse().map_err(|_| ParseOptionsError::invalid("hostaddr", "IP addresses"))
                })?;
            }
            "port" => options.ports = ports(value)?,
            "user" => options.user = owned(),
            "dbname" => options.database = owned(),
            "application_name" => options.application_name = owned(),
            "fallback_application_name" => self.fallback_application_name = owned(),
            "options" => options.options = owned(),
            "connect_timeout" => options.connect_timeout = seconds("connect_timeout", value)?,
            "tcp_user_timeout" => {
                let limit = number("tcp_user_timeout", value, "a number of milliseconds")?;
                options.tcp_user_timeout = limit.map(|limit| Duration::from_millis(u64::from(limit)));
            }
            "keepalives" => {
                let is_on = value.trim().is_empty() || number("keepalives", value, "0 or 1")?.is_some();
                self.keepalives = Some(is_on);
            }
            "keepalives_idle" => keepalive.idle = seconds("keepalives_idle", value)?,
            "keepalives_interval" => keepalive.interval = seconds("keepalives_interval", value)?,
            "keepalives_count" => keepalive.retries = number("keepalives_count", value, "a number")?,
            "keepalives_retries" => keepalive.retries = number("keepalives_retries", value, "a number")?,
            "sslmode" => {
                self.has_mode = !value.is_empty();
                options.tls.mode = ssl_mode(value)?;
            }
            "sslrootcert" => {
                options.tls.root = owned().map(|value| match value.as_str() {
                    "system" => RootCertificates::System,
                    _ => RootCertificates::File(PathBuf::from(value)),
                });
            }
            "sslcert" => options.tls.certificate = owned().map(PathBuf::from),
            "sslkey" => options.tls.key = owned().map(PathBuf::from),
            "sslnegotiation" => {
                options.tls.is_direct = one_of(
                    "sslnegotiation",
                    value,
                    "postgres or direct",
                    &[("postgres", false), ("direct", true)],
                )?;
            }
            "channel_binding" => {
                options.channel_binding = one_of(
                    "channel_binding",
                    value,
                    "disable, prefer or require",
                    &[
                        ("prefer", ChannelBinding::Prefer),
                        ("disable", ChannelBinding::Disable),
                        ("require", ChannelBinding::Require),
                    ],
                )?;
            }
            "target_session_attrs" => options.target_session_attrs = session_attrs(value)?,
            "load_balance_hosts" => {
                options.balances_load = one_of(
                    "load_balance_hosts",
                    value,
                    "disable or random",
                    &[("disable", false), ("random", true)],
                )?;
            }
            "pgbouncer" => {
                let known = [("false", false), ("true", true), ("0", false), ("1", true)];
                options.is_pooled = one_of("pgbouncer", value, "true or false", &known)?;
            }
            "client_encoding" => {
                let encoding = value.to_ascii_lowercase();
                if !matches!(encoding.as_str(), "" | "utf8" | "utf-8" | "unicode" | "auto") {
                    return Err(ParseOptionsError::invalid("client_encoding", "UTF8"));
                }
            }
            "gssencmode" => {
                one_of("gssencmode", value, "disable or prefer", &[("prefer", ()), ("disable", ())])?;
            }
            name => return Err(unknown(name, parameter.is_name)),
        }
        Ok(())
    }

    fn finish(self) -> Result<ConnectOptions, ParseOptionsError> {
        let mut options = self.options;
        options.keepalive = match self.keepalives {
            Some(false) => None,
            _ => self.keepalive.or(options.keepalive),
        };
        options.application_name = options.application_name.or(self.fallback_application_name);
        if options.tls.root == Some(RootCertificates::System) {
            // Everybody can get a certificate of a public authority, so that only its name proves anything.
            if !self.has_mode {
                options.tls.mode = SslMode::VerifyFull;
            }
            if options.tls.mode != SslMode::VerifyFull {
                return Err(ParseOptionsError::invalid("sslmode", "verify-full with sslrootcert=system"));
            }
        }
        if options.tls.mode == SslMode::VerifyCa && options.tls.root.is_none() {
            return Err(ParseOptionsError::invalid("sslmode", "a file as sslrootcert with verify-ca"));
        }
        if options.tls.certificate.is_some() != options.tls.key.is_some() {
            return Err(ParseOptionsError::invalid("sslcert", "sslcert and sslkey together"));
        }
        if options.tls.is_direct && !options.tls.mode.demands_tls() {
            return Err(ParseOptionsError::invalid(
                "sslnegotiation",
                "sslmode=require or stricter with direct",
            ));
        }
        let (hosts, addresses, ports) =
            (options.hosts.len(), options.host_addresses.len(), options.ports.len());
        if addresses > 0 && hosts > 0 && addresses != hosts {
            return Err(ParseOptionsError::invalid("hostaddr", "as many addresses as hosts"));
        }
        if ports > 1 && ports != hosts.max(addresses) {
            return Err(ParseOptionsError::invalid("port", "one port, or as many as hosts"));
        }
        if options.ports.iter().all(|&port| port == DEFAULT_PORT) {
            options.ports.clear();
        }
        Ok(options)
    }
}

fn text<'a>(value: &'a [u8], problem: &'static str) -> Result<&'a str, ParseOptionsError> {
    str::from_utf8(value).map_err(|_| ParseOptionsError::syntax(problem))
}

/// Splits a list by commas. An empty string is an empty list.
fn list<T>(
    value: &str,
    item: impl Fn(&str) -> Result<T, ParseOptionsError>,
) -> Result<Vec<T>, ParseOptionsError> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    value.split(',').map(|text| item(text.trim())).collect()
}

/// Reads ports. An empty one is the default.
fn ports(value: &str) -> Result<Vec<u16>, ParseOptionsError> {
    list(value, |port| match port {
        "" => Ok(DEFAULT_PORT),
        port => {
            let port = port.parse().ok().filter(|&port| port != 0);
            port.ok_or_else(|| ParseOptionsError::invalid("port", "numbers from 1 to 65535"))
        }
    })
}

/// Reads a number; zero, a negative one and an empty string are `None`.
fn number(name: &'static str, value: &str, expected: &'static str) -> Result<Option<u32>, ParseOptionsError> {
    let value = value.trim();
    if value.is_empty() {
        return Ok(None);
    }
    let number: i32 = value.parse().map_err(|_| ParseOptionsError::invalid(name, expected))?;
    Ok(u32::try_from(number).ok().filter(|&number| number != 0))
}

fn seconds(name: &'static str, value: &str) -> Result<Option<Duration>, ParseOptionsError> {
    let seconds = number(name, value, "a number of seconds")?;
    Ok(seconds.map(|seconds| Duration::from_secs(u64::from(seconds))))
}

/// Reads one of several words. An empty string means the first word, which is the default.
fn one_of<T: Copy>(
    name: &'static str,
    value: &str,
    expected: &'static str,
    known: &[(&str, T)],
) -> Result<T, ParseOptionsError> {
    let found = known.iter().find(|(word, _)| *word == value || value.is_empty());
    found.map(|&(_, meaning)| meaning).ok_or_else(|| ParseOptionsError::invalid(name, expected))
}

fn ssl_mode(value: &str) -> Result<SslMode, ParseOptionsError> {
    use SslMode::{Allow, Disable, Prefer, Require, VerifyCa, VerifyFull};
    let known = [Prefer, Disable, Allow, Require, VerifyCa, VerifyFull].map(|mode| (mode.as_str(), mode));
    one_of("sslmode", value, "disable, allow, prefer, require, verify-ca or verify-full", &known)
}

fn session_attrs(value: &str) -> Result<TargetSessionAttrs, ParseOptionsError> {
    let known = [
        ("any", TargetSessionAttrs::Any),
        ("read-write", TargetSessionAttrs::ReadWrite),
        ("read-only", TargetSessionAttrs::ReadOnly),
        ("primary", TargetSessionAttrs::Primary),
        ("standby", TargetSessionAttrs::Standby),
        ("prefer-standby", TargetSessionAttrs::PreferStandby),
    ];
    let expected = "any, read-write, read-only, primary, standby or prefer-standby";
    one_of("target_session_attrs", value, expected, &known)
}

/// Parameters of libpq that are not supported, and names that are unknown.
fn unknown(name: &str, is_name: bool) -> ParseOptionsError {
    const OF_LIBPQ: [&str; 21] = [
        "gssdelegation",
        "gsslib",
        "krbsrvname",
        "max_protocol_version",
        "min_protocol_version",
        "oauth_client_id",
        "oauth_client_secret",
        "oauth_issuer",
        "oauth_scope",
        "passfile",
        "replication",
        "require_auth",
        "requirepeer",
        "requiressl",
        "service",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcertmode",
        "sslcrl",
        "sslpassword",
        "sslsni",
    ];
    match OF_LIBPQ.into_iter().find(|&known| known == name) {
        Some(known) => ParseOptionsError::unsupported(known),
        None => ParseOptionsError::unknown(name, is_name),
    }
}

#[cfg(test)]
mod tests;
