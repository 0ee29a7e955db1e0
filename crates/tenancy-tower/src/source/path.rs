//! A part of a path.

/// The parts before the one that names the tenant.
#[derive(Debug)]
pub(super) struct Template {
    before: Vec<String>,
}

const TENANT: &str = "{tenant}";

impl Template {
    pub(super) fn new(template: &str) -> Self {
        let parts = template.strip_prefix('/').expect("a template of paths begins with `/`");
        let mut parts = parts.split('/');
        let before = parts.by_ref().take_while(|part| *part != TENANT).map(str::to_owned).collect::<Vec<_>>();
        let count = template.split('/').filter(|part| *part == TENANT).count();
        assert!(count == 1, "a template of paths has one part that is `{TENANT}`");
        Self { before }
    }

    /// The part at the tenant's place, where all before it are the template's.
    pub(super) fn tenant_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut parts = path.strip_prefix('/')?.split('/');
        self.before.iter().all(|before| parts.next() == Some(before)).then(|| parts.next())?
    }
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn finds_the_part_behind_what_it_knows() {
        let template = Template::new("/v1/tenants/{tenant}");
        assert_eq!(template.tenant_in("/v1/tenants/acme"), Some("acme"));
        assert_eq!(template.tenant_in("/v1/tenants/acme/agents"), Some("acme"));
        assert_eq!(template.tenant_in("/v1/tenants/"), Some(""));
        for other in ["/v1/tenants", "/v1/agents", "/v2/tenants/acme", "/", "", "*", "//v1/tenants/acme"] {
            assert_eq!(template.tenant_in(other), None, "{other}");
        }
        assert_eq!(Template::new("/{tenant}/files").tenant_in("/acme/x"), Some("acme"));
    }

    #[test]
    #[should_panic(expected = "one part")]
    fn a_template_without_a_tenant() {
        Template::new("/v1/tenants");
    }

    #[test]
    #[should_panic(expected = "one part")]
    fn a_template_with_two() {
        Template::new("/{tenant}/{tenant}");
    }
}
