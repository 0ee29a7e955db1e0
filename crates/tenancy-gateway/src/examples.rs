//! `gateway examples`: requests to send with curl, as lines for a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tenancy::{TenantId, TenantRecord, TenantStatus, tenant_id};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");
const INITECH: TenantId = tenant_id!("7d444840-9dc0-41d1-b245-5ffdce74fad2");
const UNKNOWN: TenantId = tenant_id!("11111111-2222-4333-8444-555555555555");
const HOOLI: TenantId = tenant_id!("3f2504e0-4f89-41d3-9a0c-0305e82c3301");

/// What the demo's list expects, as comments of a shell script.
const DEMO: &str = "\
# Run these lines from top to bottom. Each comment starts with the expected status.
# They expect a gateway that has just been started with new data: what was created by
# an earlier run exists already, and its lines answer with another status.
# To watch a tenant's changes, add -N and request /v1/notes/events instead of /v1/notes.
";

/// A request, as a line for a shell.
pub(crate) struct CurlExample<'t> {
    token: Option<&'t str>,
    tenant: Option<&'t str>,
    body: Option<&'t str>,
    method: Option<&'t str>,
    path: &'t str,
    /// The shell variable that receives the id in the response.
    variable: Option<&'t str>,
    /// The expected status and what the request does.
    comment: &'t str,
}

impl<'t> CurlExample<'t> {
    fn get(path: &'t str, comment: &'t str) -> Self {
        Self { token: None, tenant: None, body: None, method: None, path, variable: None, comment }
    }

    fn token(self, token: &'t str) -> Self {
        Self { token: Some(token), ..self }
    }

    fn tenant(self, tenant: &'t str) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    fn body(self, body: &'t str) -> Self {
        Self { body: Some(body), ..self }
    }

    fn post(self) -> Self {
        Self { method: Some("POST"), ..self }
    }

    fn id_in(self, variable: &'t str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    pub(crate) fn line(&self, base: &str) -> String {
        // The shell expands `$TOKEN` in double quotes only.
        let quote = |token: &str| if token.starts_with('$') { '"' } else { '\'' };
        let parts = [
            self.method.map(|method| format!("-X {method}")),
            self.token.map(|token| format!("-H {0}Authorization: Bearer {token}{0}", quote(token))),
            self.tenant.map(|tenant| format!("-H 'X-Tenant-ID: {tenant}'")),
            self.body.map(|body| format!("-H 'Content-Type: application/json' -d '{body}'")),
        ];
        let parts: String = parts.into_iter().flatten().map(|part| part + " ").collect();
        // An unquoted question mark is a pattern for file names.
        let quote = if self.path.contains('?') { "'" } else { "" };
        let arguments = format!("{parts}{quote}{base}{}{quote}", self.path);
        match self.variable {
            // The id is the first member of the response.
            Some(variable) => {
                format!("{variable}=$(curl -s {arguments} | cut -d'\"' -f4)   # {}", self.comment)
            }
            None => format!("curl {arguments}   # {}", self.comment),
        }
    }
}

/// A member of a tenant, in whose name the first requests are sent.
pub(crate) struct Member {
    token: &'static str,
    tenant: String,
    slug: String,
}

impl Member {
    /// Returns alice of the demo.
    pub(crate) fn demo() -> Self {
        Self { token: "demo-alice", tenant: ACME.to_string(), slug: "acme".to_owned() }
    }

    /// Returns a member of the first active tenant, preferably not the platform.
    ///
    /// The token is the shell variable `TOKEN`: tokens of a principals file are never printed.
    pub(crate) fn of_first_active(tenants: &[TenantRecord]) -> Option<Self> {
        let active = tenants.iter().filter(|tenant| tenant.status() == TenantStatus::Active);
        let tenant = active.min_by_key(|tenant| tenant.id().is_platform())?;
        Some(Self { token: "$TOKEN", tenant: tenant.id().to_string(), slug: tenant.slug().to_string() })
    }

    /// Returns the token if it is public.
    pub(crate) fn public_token(&self) -> Option<&str> {
        (!self.token.starts_with('$')).then_some(self.token)
    }

    pub(crate) fn slug(&self) -> &str {
        &self.slug
    }

    /// Returns three requests to start with. All of them work again with data of earlier runs.
    pub(crate) fn first_requests(&self) -> [CurlExample<'_>; 3] {
        let get = |path, comment| CurlExample::get(path, comment).token(self.token).tenant(&self.tenant);
        [
            get("/v1/whoami", "200: shows the caller and the tenant"),
            get("/v1/notes", "201: creates a note").body(r#"{"text":"hello"}"#),
            get("/v1/notes", "200: lists the tenant's notes"),
        ]
    }
}

/// Returns the demo's requests. Run from top to bottom, each has the status that its comment states.
pub fn demo(address: SocketAddr) -> String {
    let [acme, globex, initech, unknown, platform] =
        [ACME, GLOBEX, INITECH, UNKNOWN, TenantId::PLATFORM].map(|tenant| tenant.to_string());
    let created = format!(r#"{{"slug":"hooli","id":"{HOOLI}"}}"#);
    let suspend = format!("/v1/tenants/{GLOBEX}/suspend");
    let resume = format!("/v1/tenants/{GLOBEX}/resume");
    let (alice, bob, operator) = ("demo-alice", "demo-bob", "demo-operator");
    let notes = |comment| CurlExample::get("/v1/notes", comment);
    let tenants = |comment| CurlExample::get("/v1/tenants", comment).token(operator).tenant(&platform);
    let approve = format!("/v1/tenants/{ACME}/agents/$AGENT/approve");
    let agents = |comment| CurlExample::get("/v1/agents", comment).token(alice).tenant(&acme);
    let examples = [
        notes("200: alice lists the notes of acme; there are none yet").token(alice).tenant(&acme),
        notes("201: alice creates a note").token(alice).tenant(&acme).body(r#"{"text":"hello"}"#),
        notes("200: the list has the new note").token(alice).tenant(&acme),
        notes("200: bob lists the notes of globex, which do not include it").token(bob).tenant(&globex),
        notes("403: alice is not a member of globex").token(alice).tenant(&globex),
        notes("403: the same response for a tenant that does not exist").token(alice).tenant(&unknown),
        notes("400: the request names no tenant").token(alice),
        notes("400: acme is not a tenant id").token(alice).tenant("acme"),
        notes("403: alice is a member of initech, but initech is suspended").token(alice).tenant(&initech),
        notes("404: the operator may act for any tenant, but this one does not exist")
            .token(operator)
            .tenant(&unknown),
        notes("401: a request without a token, whatever tenant it names").tenant(&acme),
        CurlExample::get("/healthz", "200: needs neither token nor tenant"),
        CurlExample::get("/v1/whoami", "200: shows alice and acme").token(alice).tenant(&acme),
        tenants("200: the operator lists all tenants, in the platform tenant"),
        tenants("201: the operator creates a tenant").body(&created),
        CurlExample::get("/v1/tenants", "403: no other tenant may list tenants")
            .token(operator)
            .tenant(&acme),
        CurlExample::get(&suspend, "200: the operator suspends globex")
            .post()
            .token(operator)
            .tenant(&platform),
        notes("403: bob is rejected from the next request on").token(bob).tenant(&globex),
        CurlExample::get(&resume, "200: the operator resumes globex")
            .post()
            .token(operator)
            .tenant(&platform),
        notes("200: bob is served again").token(bob).tenant(&globex),
        agents("201: alice registers an agent").body(r#"{"name":"support","capabilities":["chat"]}"#),
        CurlExample::get("/v1/agents/by-name/support", "stores the agent's id for the next lines")
            .token(alice)
            .tenant(&acme)
            .id_in("AGENT"),
        CurlExample::get("/v1/agents/$AGENT/submit", "200: alice submits the agent for approval")
            .post()
            .token(alice)
            .tenant(&acme),
        CurlExample::get(&approve, "200: the operator approves the agent")
            .post()
            .token(operator)
            .tenant(&platform),
        agents("200: the agent is active"),
        CurlExample::get("/v1/agents/find?capability=chat", "200: alice finds the agent by capability")
            .token(alice)
            .tenant(&acme),
        CurlExample::get("/v1/agents/$AGENT", "404: bob cannot see it").token(bob).tenant(&globex),
    ];
    format!("{DEMO}{}", lines(address, &examples))
}

/// Returns requests for the tenants of a principals file. No token of the file is printed.
pub fn file(address: SocketAddr, tenants: &[TenantRecord]) -> String {
    let health = |comment| CurlExample::get("/healthz", comment);
    let Some(member) = Member::of_first_active(tenants) else {
        let comment = "# The principals file has no active tenant.\n";
        return format!("{comment}{}", lines(address, &[health("200: needs neither token nor tenant")]));
    };
    let notes = |comment| CurlExample::get("/v1/notes", comment);
    let mut examples = Vec::from(member.first_requests());
    examples.extend([
        notes("400: the request names no tenant").token(member.token),
        notes("401: the request has no token").tenant(&member.tenant),
        health("200: needs neither token nor tenant"),
    ]);
    let comment = format!("# Set TOKEN to the token of a member of {} first.\n", member.slug);
    comment + &lines(address, &examples)
}

fn lines(address: SocketAddr, examples: &[CurlExample<'_>]) -> String {
    let base = base(address);
    let lines: Vec<_> = examples.iter().map(|example| example.line(&base)).collect();
    lines.join("\n")
}

/// Returns the URL at which this machine reaches a service that listens on an address.
pub(crate) fn base(mut address: SocketAddr) -> String {
    // A server listens on the unspecified address, but a client cannot connect to it.
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}
