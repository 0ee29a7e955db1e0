//! The members of an A2A 1.0 agent card and their types, after the protocol's `a2a.proto`.
//!
//! A client reads a card as protocol buffers in JSON: it refuses the whole card if one member that it knows has a wrong
//! type. Members that it does not know are ignored, and are not checked here.

use std::string::String;

use serde_json::{Map, Value};

use crate::text::{is_uri, is_url};

/// The type of a member.
enum Kind {
    Text,
    /// A text that a person or a program opens as a URL.
    Url,
    /// A URI that only names something.
    Uri,
    Bool,
    /// Any object.
    Struct,
    Message(&'static Message),
    List(&'static Self),
    /// An object with any names, whose members all have this type.
    Map(&'static Self),
}

/// A message: the names and types of its members.
struct Message {
    members: &'static [(&'static str, Kind)],
    /// Whether at most one of the members may be present.
    is_choice: bool,
}

const fn message(members: &'static [(&'static str, Kind)]) -> Message {
    Message { members, is_choice: false }
}

const fn choice(members: &'static [(&'static str, Kind)]) -> Message {
    Message { members, is_choice: true }
}

const TEXTS: Kind = Kind::List(&Kind::Text);

static CARD: Message = message(&[
    ("name", Kind::Text),
    ("description", Kind::Text),
    ("version", Kind::Text),
    ("supportedInterfaces", Kind::List(&Kind::Message(&INTERFACE))),
    ("provider", Kind::Message(&PROVIDER)),
    ("documentationUrl", Kind::Url),
    ("iconUrl", Kind::Url),
    ("capabilities", Kind::Message(&CAPABILITIES)),
    ("securitySchemes", Kind::Map(&Kind::Message(&SECURITY_SCHEME))),
    ("securityRequirements", Kind::List(&Kind::Message(&REQUIREMENT))),
    ("defaultInputModes", TEXTS),
    ("defaultOutputModes", TEXTS),
    ("skills", Kind::List(&Kind::Message(&SKILL))),
    ("signatures", Kind::List(&Kind::Message(&SIGNATURE))),
]);

static INTERFACE: Message = message(&[
    ("url", Kind::Url),
    ("protocolBinding", Kind::Text),
    ("tenant", Kind::Text),
    ("protocolVersion", Kind::Text),
]);

static PROVIDER: Message = message(&[("url", Kind::Url), ("organization", Kind::Text)]);

static CAPABILITIES: Message = message(&[
    ("streaming", Kind::Bool),
    ("pushNotifications", Kind::Bool),
    ("extendedAgentCard", Kind::Bool),
    ("extensions", Kind::List(&Kind::Message(&EXTENSION))),
]);

static EXTENSION: Message = message(&[
    ("uri", Kind::Uri),
    ("description", Kind::Text),
    ("required", Kind::Bool),
    ("params", Kind::Struct),
]);

static SKILL: Message = message(&[
    ("id", Kind::Text),
    ("name", Kind::Text),
    ("description", Kind::Text),
    ("tags", TEXTS),
    ("examples", TEXTS),
    ("inputModes", TEXTS),
    ("outputModes", TEXTS),
    ("securityRequirements", Kind::List(&Kind::Message(&REQUIREMENT))),
]);

static SIGNATURE: Message =
    message(&[("protected", Kind::Text), ("signature", Kind::Text), ("header", Kind::Struct)]);

static REQUIREMENT: Message = message(&[("schemes", Kind::Map(&Kind::Message(&SCOPES)))]);

static SCOPES: Message = message(&[("list", TEXTS)]);

static SECURITY_SCHEME: Message = choice(&[
    ("apiKeySecurityScheme", Kind::Message(&API_KEY)),
    ("httpAuthSecurityScheme", Kind::Message(&HTTP_AUTH)),
    ("oauth2SecurityScheme", Kind::Message(&OAUTH2)),
    ("openIdConnectSecurityScheme", Kind::Message(&OPEN_ID)),
    ("mtlsSecurityScheme", Kind::Message(&MUTUAL_TLS)),
]);

static API_KEY: Message =
    message(&[("description", Kind::Text), ("location", Kind::Text), ("name", Kind::Text)]);

static HTTP_AUTH: Message =
    message(&[("description", Kind::Text), ("scheme", Kind::Text), ("bearerFormat", Kind::Text)]);

static OAUTH2: Message = message(&[
    ("description", Kind::Text),
    ("flows", Kind::Message(&FLOWS)),
    ("oauth2MetadataUrl", Kind::Url),
]);

static OPEN_ID: Message = message(&[("description", Kind::Text), ("openIdConnectUrl", Kind::Url)]);

static MUTUAL_TLS: Message = message(&[("description", Kind::Text)]);

static FLOWS: Message = choice(&[
    ("authorizationCode", Kind::Message(&FLOW)),
    ("clientCredentials", Kind::Message(&FLOW)),
    ("implicit", Kind::Message(&FLOW)),
    ("password", Kind::Message(&FLOW)),
    ("deviceCode", Kind::Message(&FLOW)),
]);

/// The members of all flows. None of them has two types.
static FLOW: Message = message(&[
    ("authorizationUrl", Kind::Url),
    ("deviceAuthorizationUrl", Kind::Url),
    ("tokenUrl", Kind::Url),
    ("refreshUrl", Kind::Url),
    ("scopes", Kind::Map(&Kind::Text)),
    ("pkceRequired", Kind::Bool),
]);

/// Returns the name of a member that a client would refuse, if there is one.
pub(super) fn invalid_member(card: &Map<String, Value>) -> Option<&'static str> {
    CARD.check(card).err()
}

impl Message {
    fn check(&self, object: &Map<String, Value>) -> Result<(), &'static str> {
        let mut present = false;
        for (name, value) in object {
            let Some((known, kind)) = self.members.iter().find(|(known, _)| is_named(known, name)) else {
                continue;
            };
            if has_both(object, known) || (self.is_choice && present && !value.is_null()) {
                return Err(known);
            }
            // In protocol buffers null stands for the default.
            if !value.is_null() {
                present = true;
                kind.check(value, known)?;
            }
        }
        Ok(())
    }
}

impl Kind {
    fn check(&self, value: &Value, name: &'static str) -> Result<(), &'static str> {
        let is_valid = match (self, value) {
            (Self::Text, Value::String(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Struct, Value::Object(_)) => true,
            (Self::Url, Value::String(url)) => url.is_empty() || is_url(url),
            (Self::Uri, Value::String(uri)) => is_uri(uri),
            (Self::Message(message), Value::Object(object)) => return message.check(object),
            (Self::List(kind), Value::Array(items)) => {
                return items.iter().try_for_each(|item| kind.check(item, name));
            }
            (Self::Map(kind), Value::Object(members)) => {
                return members.values().try_for_each(|member| kind.check(member, name));
            }
            _ => false,
        };
        if is_valid { Ok(()) } else { Err(name) }
    }
}

/// Returns whether a name is a member's, in either of the two spellings that clients read: `iconUrl` and `icon_url`.
fn is_named(known: &str, name: &str) -> bool {
    let mut rest = name.chars();
    let is_same = known.chars().all(|char| match rest.next() {
        Some('_') => char.is_ascii_uppercase() && rest.next() == Some(char.to_ascii_lowercase()),
        next => next == Some(char),
    });
    is_same && rest.next().is_none()
}

/// Returns whether an object has a member in both spellings.
fn has_both(object: &Map<String, Value>, known: &str) -> bool {
    object.keys().filter(|name| is_named(known, name)).count() > 1
}
