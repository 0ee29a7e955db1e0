//! What is printed at the start: requests to try.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use tenancy::{TenantId, TenantRecord, TenantStatus, tenant_id};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");
const INITECH: TenantId = tenant_id!("7d444840-9dc0-41d1-b245-5ffdce74fad2");
const NOBODY: TenantId = tenant_id!("11111111-2222-4333-8444-555555555555");
const HOOLI: TenantId = tenant_id!("3f2504e0-4f89-41d3-9a0c-0305e82c3301");

/// A request to try, as a line for a shell.
struct Try<'t> {
    token: Option<&'t str>,
    tenant: Option<&'t str>,
    body: Option<&'t str>,
    method: Option<&'t str>,
    path: &'t str,
    /// The shell's variable that keeps the id of what is answered.
    keeps: Option<&'t str>,
    shows: &'t str,
}

impl<'t> Try<'t> {
    fn get(path: &'t str, shows: &'t str) -> Self {
        Self { token: None, tenant: None, body: None, method: None, path, keeps: None, shows }
    }

    fn by(self, token: &'t str) -> Self {
        Self { token: Some(token), ..self }
    }

    fn of(self, tenant: &'t str) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    fn body(self, body: &'t str) -> Self {
        Self { body: Some(body), ..self }
    }

    fn post(self) -> Self {
        Self { method: Some("POST"), ..self }
    }

    fn id_in(self, variable: &'t str) -> Self {
        Self { keeps: Some(variable), ..self }
    }

    fn line(&self, base: &str) -> String {
        // The shell fills in `$TOKEN` between double quotes alone.
        let quote = |token: &str| if token.starts_with('$') { '"' } else { '\'' };
        let parts = [
            self.method.map(|method| format!("-X {method}")),
            self.token.map(|token| format!("-H {0}Authorization: Bearer {token}{0}", quote(token))),
            self.tenant.map(|tenant| format!("-H 'X-Tenant-ID: {tenant}'")),
            self.body.map(|body| format!("-H 'Content-Type: application/json' -d '{body}'")),
        ];
        let parts: String = parts.into_iter().flatten().map(|part| part + " ").collect();
        // A shell may look for files that a question mark stands for.
        let quote = if self.path.contains('?') { "'" } else { "" };
        let asks = format!("{parts}{quote}{base}{}{quote}", self.path);
        match self.keeps {
            // An answer begins with the id.
            Some(variable) => format!("{variable}=$(curl -s {asks} | cut -d'\"' -f4)   # {}", self.shows),
            None => format!("curl {asks}   # {}", self.shows),
        }
    }
}

/// The lines of the demo. From top to bottom each does what it says.
pub fn demo(address: SocketAddr) -> String {
    let [acme, globex, initech, nobody, platform] =
        [ACME, GLOBEX, INITECH, NOBODY, TenantId::PLATFORM].map(|tenant| tenant.to_string());
    let created = format!(r#"{{"slug":"hooli","id":"{HOOLI}"}}"#);
    let suspend = format!("/v1/tenants/{GLOBEX}/suspend");
    let resume = format!("/v1/tenants/{GLOBEX}/resume");
    let (alice, bob, operator) = ("demo-alice", "demo-bob", "demo-operator");
    let notes = |shows| Try::get("/v1/notes", shows);
    let tenants = |shows| Try::get("/v1/tenants", shows).by(operator).of(&platform);
    let approve = format!("/v1/tenants/{ACME}/agents/$AGENT/approve");
    let agents = |shows| Try::get("/v1/agents", shows).by(alice).of(&acme);
    let tries = [
        notes("200: alice lists acme's notes; there are none yet").by(alice).of(&acme),
        notes("201: she makes one").by(alice).of(&acme).body(r#"{"text":"hello"}"#),
        notes("200: and there it is").by(alice).of(&acme),
        notes("200: bob lists globex's, and does not see it").by(bob).of(&globex),
        notes("403: alice is no member of globex").by(alice).of(&globex),
        notes("403: nor of a tenant that there is not, in the same bytes").by(alice).of(&nobody),
        notes("400: no tenant is named").by(alice),
        notes("400: what is named is no id").by(alice).of("acme"),
        notes("403: alice is a member of initech, which is suspended").by(alice).of(&initech),
        notes("404: the operator may act for any tenant, and there is no such one").by(operator).of(&nobody),
        notes("401: who calls comes first, whatever tenant is named").of(&acme),
        Try::get("/healthz", "200: needs neither"),
        Try::get("/v1/whoami", "200: who alice is, and for whom").by(alice).of(&acme),
        tenants("200: the platform tenant lists all tenants"),
        tenants("201: and creates one").body(&created),
        Try::get("/v1/tenants", "403: no other tenant may").by(operator).of(&acme),
        Try::get(&suspend, "200: the platform suspends globex").post().by(operator).of(&platform),
        notes("403: from bob's next request on").by(bob).of(&globex),
        Try::get(&resume, "200: and resumes it").post().by(operator).of(&platform),
        notes("200: bob is served again").by(bob).of(&globex),
        agents("201: alice registers an agent").body(r#"{"name":"support","capabilities":["chat"]}"#),
        Try::get("/v1/agents/by-name/support", "its id, for the next lines")
            .by(alice)
            .of(&acme)
            .id_in("AGENT"),
        Try::get("/v1/agents/$AGENT/submit", "200: she submits it").post().by(alice).of(&acme),
        Try::get(&approve, "200: the platform approves it").post().by(operator).of(&platform),
        agents("200: it is in use"),
        Try::get("/v1/agents/find?capability=chat", "200: and is found by what it can do")
            .by(alice)
            .of(&acme),
        Try::get("/v1/agents/$AGENT", "404: to bob it is as absent as any").by(bob).of(&globex),
    ];
    let before = "each line does what it says, from top to bottom; with -N and /v1/notes/events at its end the first \
                  one\ntells a tenant's changes as they come\n";
    lines(address, &tries, &page(address, "demo-alice for acme"), before)
}

/// Where to look with a browser, and as whom.
fn page(address: SocketAddr, who: &str) -> String {
    format!("the page: http://{}/ : sign in with {who}", reachable(address))
}

/// The lines for a file's tenants: no token is in them.
pub fn file(address: SocketAddr, tenants: &[TenantRecord]) -> String {
    let is_active = |tenant: &&TenantRecord| tenant.status() == TenantStatus::Active;
    let active = tenants.iter().filter(is_active);
    let Some(tenant) = active.max_by_key(|tenant| !tenant.id().is_platform()) else {
        return lines(address, &[Try::get("/healthz", "200: no tenant is active")], "", "");
    };
    let id = tenant.id().to_string();
    let notes = |shows| Try::get("/v1/notes", shows);
    let tries = [
        notes("200: the tenant's notes").by("$TOKEN").of(&id),
        notes("201: one more").by("$TOKEN").of(&id).body(r#"{"text":"hello"}"#),
        Try::get("/v1/whoami", "200: who the token is, and for whom").by("$TOKEN").of(&id),
        notes("400: no tenant is named").by("$TOKEN"),
        notes("401: no token").of(&id),
        Try::get("/healthz", "200: needs neither"),
    ];
    let page = page(address, &format!("the token of a member of {0}, for {0}", tenant.slug()));
    lines(address, &tries, &page, &format!("with the token of a member of {} in TOKEN:\n", tenant.slug()))
}

/// What the folder is for.
pub fn files(folder: &Path) -> String {
    format!(
        "each tenant has a file in {}: what was there before is there still, and lines that make something anew say so; \
         --data DIR names another folder, and --memory keeps nothing",
        folder.display()
    )
}

/// What Postgres is for.
pub const DATABASE: &str = "Postgres keeps tenants, notes and agents";

/// What Redis is for.
pub fn redis(rate: u32) -> &'static str {
    match rate {
        0 => "Redis caches notes",
        _ => "Redis counts each tenant's requests to all instances, and caches notes",
    }
}

fn lines(address: SocketAddr, tries: &[Try<'_>], page: &str, before: &str) -> String {
    let base = format!("http://{}", reachable(address));
    let lines: Vec<_> = tries.iter().map(|attempt| attempt.line(&base)).collect();
    let lines = lines.join("\n");
    let page = if page.is_empty() { String::new() } else { format!("\n\n{page}") };
    format!("listening on http://{address}; requests to try:\n\n{before}{lines}{page}\n\nCtrl-C ends it")
}

/// `0.0.0.0` is where to listen, and nowhere to connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
