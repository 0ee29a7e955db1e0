//! A segment of a path.

/// The beginning of a path, with one segment for the tenant.
#[derive(Debug)]
pub(super) struct Template(Vec<Segment>);

#[derive(Debug)]
enum Segment {
    Exactly(String),
    Any,
    Tenant,
}

impl Template {
    pub(super) fn new(template: &str) -> Self {
        let segments = template.strip_prefix('/').expect("a path template begins with `/`");
        let segments: Vec<_> = segments.split('/').map(Segment::new).collect();
        let count = segments.iter().filter(|segment| matches!(segment, Segment::Tenant)).count();
        assert!(count == 1, "a path template has exactly one segment `{{tenant}}`");
        Self(segments)
    }

    /// Returns the tenant's segment, if the path matches the template.
    pub(super) fn tenant_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let mut tenant = None;
        for expected in &self.0 {
            let segment = segments.next()?;
            match expected {
                Segment::Exactly(text) if text != segment => return None,
                Segment::Exactly(_) | Segment::Any => {}
                Segment::Tenant => tenant = Some(segment),
            }
        }
        tenant
    }
}

impl Segment {
    fn new(text: &str) -> Self {
        let braced = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let rest = braced.unwrap_or(text);
        assert!(
            !rest.contains(['{', '}', '*']),
            "braces enclose a whole segment of a path template, and `*` is not supported"
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
    fn finds_the_segment() {
        let template = Template::new("/v1/tenants/{tenant}");
        assert_eq!(template.tenant_in("/v1/tenants/acme"), Some("acme"));
        assert_eq!(template.tenant_in("/v1/tenants/acme/agents"), Some("acme"));
        assert_eq!(template.tenant_in("/v1/tenants/"), Some(""));
        for other in ["/v1/tenants", "/v1/agents", "/v2/tenants/acme", "/", "", "*", "//v1/tenants/acme"] {
            assert_eq!(template.tenant_in(other), None, "{other}");
        }
    }

    #[test]
    fn matches_segments_after_the_tenant_and_segments_of_any_text() {
        let template = Template::new("/{region}/{tenant}/files");
        assert_eq!(template.tenant_in("/eu/acme/files/x"), Some("acme"));
        assert_eq!(template.tenant_in("/eu/acme/agents"), None);
        assert_eq!(template.tenant_in("/eu/acme"), None);
    }

    #[test]
    #[should_panic(expected = "one segment")]
    fn rejects_a_template_without_a_tenant() {
        Template::new("/v1/tenants");
    }

    #[test]
    #[should_panic(expected = "one segment")]
    fn rejects_a_template_with_two_tenants() {
        Template::new("/{tenant}/{tenant}");
    }

    #[test]
    #[should_panic(expected = "whole segment")]
    fn rejects_a_template_with_braces_inside_a_segment() {
        Template::new("/t-{tenant}");
    }
}
