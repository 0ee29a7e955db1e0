//! A part of a path.

/// What a path begins with.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Exactly(String),
    Any,
    Tenant,
}

impl Template {
    pub(super) fn new(template: &str) -> Self {
        let parts = template.strip_prefix('/').expect("a template of paths begins with `/`");
        let parts: Vec<_> = parts.split('/').map(Part::new).collect();
        let count = parts.iter().filter(|part| matches!(part, Part::Tenant)).count();
        assert!(count == 1, "a template of paths has one part that is `{{tenant}}`");
        Self(parts)
    }

    /// The part at the tenant's place, where all others of the template are there.
    pub(super) fn tenant_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let mut tenant = None;
        for expected in &self.0 {
            let part = parts.next()?;
            match expected {
                Part::Exactly(text) if text != part => return None,
                Part::Exactly(_) | Part::Any => {}
                Part::Tenant => tenant = Some(part),
            }
        }
        tenant
    }
}

impl Part {
    fn new(text: &str) -> Self {
        let braced = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let rest = braced.unwrap_or(text);
        assert!(
            !rest.contains(['{', '}', '*']),
            "braces enclose a whole part of a template, and `*` is none"
        );
        match braced {
            Some("tenant") => Self::Tenant,
            Some(_) => Self::Any,
            None => Self::Exactly(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn finds_the_part_among_what_it_knows() {
        let template = Template::new("/v1/tenants/{tenant}");
        assert_eq!(template.tenant_in("/v1/tenants/acme"), Some("acme"));
        assert_eq!(template.tenant_in("/v1/tenants/acme/agents"), Some("acme"));
        assert_eq!(template.tenant_in("/v1/tenants/"), Some(""));
        for other in ["/v1/tenants", "/v1/agents", "/v2/tenants/acme", "/", "", "*", "//v1/tenants/acme"] {
            assert_eq!(template.tenant_in(other), None, "{other}");
        }
    }

    #[test]
    fn parts_behind_the_tenant_and_parts_that_are_any() {
        let template = Template::new("/{region}/{tenant}/files");
        assert_eq!(template.tenant_in("/eu/acme/files/x"), Some("acme"));
        assert_eq!(template.tenant_in("/eu/acme/agents"), None);
        assert_eq!(template.tenant_in("/eu/acme"), None);
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

    #[test]
    #[should_panic(expected = "whole part")]
    fn a_template_with_half_a_part() {
        Template::new("/t-{tenant}");
    }
}
