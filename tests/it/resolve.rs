//! Claims of a request: none, one, or several.

use tenancy::{InvalidTenantIdKind, ResolveTenantError, TENANT_HEADER, TenantClaims, TenantId};

use crate::support::tenant;

/// Resolves a request with these header values and no other claim.
fn by_header(values: &[&[u8]]) -> Result<TenantId, ResolveTenantError> {
    let mut claims = TenantClaims::new();
    claims.header(values.iter().copied())?;
    claims.resolve()
}

/// Returns the accepted spellings of an id.
fn spellings(id: TenantId) -> [String; 6] {
    [
        id.to_string(),
        id.to_string().to_uppercase(),
        id.simple().to_string(),
        id.simple().to_string().to_uppercase(),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
    ]
}

#[test]
fn header_name_is_x_tenant_id() {
    assert_eq!(TENANT_HEADER, "x-tenant-id");
}

#[test]
fn rejects_requests_without_a_claim() {
    assert_eq!(by_header(&[]), Err(ResolveTenantError::Missing));
    assert_eq!(TenantClaims::new().resolve(), Err(ResolveTenantError::Missing));
    assert_eq!(TenantClaims::default(), TenantClaims::new());
}

#[test]
fn accepts_one_header_value_in_every_spelling() {
    for text in spellings(tenant(1)) {
        assert_eq!(by_header(&[text.as_bytes()]), Ok(tenant(1)), "{text}");
    }
}

#[test]
fn rejects_two_header_values() {
    let one = tenant(1).to_string();
    let simple = tenant(1).simple().to_string();
    let other = tenant(2).to_string();
    for (first, second) in
        [(&*one, &*one), (&one, &simple), (&one, &other), (&one, ""), ("", &one), ("", ""), ("x", &one)]
    {
        let values = [first.as_bytes(), second.as_bytes()];
        assert_eq!(by_header(&values), Err(ResolveTenantError::Duplicate), "{first:?}, {second:?}");
        assert_eq!(by_header(&[values[0], values[1], values[0]]), Err(ResolveTenantError::Duplicate));
    }
}

#[test]
fn reads_at_most_two_header_values() {
    let mut count = 0;
    let values = std::iter::repeat_with(|| {
        count += 1;
        &b"550e8400-e29b-41d4-a716-446655440000"[..]
    });
    assert_eq!(TenantClaims::new().header(values), Err(ResolveTenantError::Duplicate));
    assert_eq!(count, 2);
}

#[test]
fn rejects_header_values_that_are_not_an_id() {
    use InvalidTenantIdKind::{Character, Empty, Hyphen, Length, Max, Nil};
    let id = tenant(1).to_string();
    let cases = [
        (String::new(), Empty),
        ("acme".into(), Length),
        (format!(" {id}"), Length),
        (format!("{id}\t"), Length),
        (format!("\"{id}\""), Character),
        (format!("{{{id}"), Length),
        (format!("({id})"), Character),
        (format!("{id},{id}"), Length),
        (id.replace('-', "_"), Hyphen),
        (id.replace('5', "g"), Character),
        ("a".repeat(1 << 20), Length),
        ("00000000-0000-0000-0000-000000000000".into(), Nil),
        ("0".repeat(32), Nil),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff".into(), Max),
        ("F".repeat(32), Max),
    ];
    for (text, kind) in cases {
        let shown = &text[..text.len().min(50)];
        let Err(ResolveTenantError::Invalid(error)) = by_header(&[text.as_bytes()]) else {
            panic!("{shown:?} is a tenant")
        };
        assert_eq!(error.kind(), kind, "{shown:?}");
        assert_eq!(TenantClaims::new().text(text.as_bytes()), Err(error.into()), "{shown:?}");
    }
}

/// A source of a claim.
type Source<'s> = &'s dyn Fn(&mut TenantClaims, TenantId) -> Result<(), ResolveTenantError>;

fn sources<'s>() -> [Source<'s>; 4] {
    [
        &|claims, id| claims.header([id.to_string().as_bytes()]),
        &|claims, id| claims.text(id.simple().to_string().to_uppercase().as_bytes()),
        &|claims, id| claims.text(format!("urn:uuid:{id}").as_bytes()),
        &|claims, id| claims.tenant(id),
    ]
}

/// Returns every order of four sources.
fn orders() -> Vec<[usize; 4]> {
    let all = (0..256).map(|code| [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 & 3]);
    let orders: Vec<_> = all.filter(|order| (0..4).all(|source| order.contains(&source))).collect();
    assert_eq!(orders.len(), 24);
    orders
}

#[test]
fn agreeing_sources_resolve_in_any_order() {
    for order in orders() {
        let mut claims = TenantClaims::new();
        for source in order {
            sources()[source](&mut claims, tenant(1)).expect("they agree");
            claims.header([]).expect("no header is no claim");
        }
        assert_eq!(claims.resolve(), Ok(tenant(1)), "{order:?}");
    }
}

#[test]
fn one_disagreeing_source_conflicts_in_any_order() {
    for order in orders() {
        for dissenter in 0..4 {
            let mut claims = TenantClaims::new();
            let result = order.into_iter().try_for_each(|source| {
                sources()[source](&mut claims, tenant(if source == dissenter { 2 } else { 1 }))
            });
            assert_eq!(result, Err(ResolveTenantError::Conflict), "{dissenter} in {order:?}");
        }
    }
}

/// A caller that continues after an error does not get the rejected tenant.
#[test]
fn rejected_claim_leaves_the_earlier_one() {
    let mut claims = TenantClaims::new();
    claims.tenant(tenant(1)).expect("the first claim");
    for refused in [claims.clone().text(b"acme"), claims.tenant(tenant(2)), claims.text(b"")] {
        refused.expect_err("refused");
    }
    let twice = tenant(2).to_string();
    claims.header([twice.as_bytes(); 2]).expect_err("refused");
    assert_eq!(claims.resolve(), Ok(tenant(1)));
}

#[test]
fn errors_repeat_nothing_of_the_request() {
    let secret = "0b5e55ed-5ec2-e75e-c2e7-5ec2e75ec2e7";
    let id = TenantId::parse(secret).expect("an id");
    let mut claims = TenantClaims::new();
    claims.tenant(tenant(1)).expect("the first claim");
    let errors = [
        claims.text(secret.as_bytes()),
        claims.tenant(id),
        claims.header([secret.as_bytes(); 2]),
        claims.header([&secret.as_bytes()[1..]]),
        claims.text(secret.replace("5e", "<b").as_bytes()),
        claims.text(format!("{secret}\r\nSet-Cookie: a=b").as_bytes()),
    ];
    for error in errors.map(|result| result.expect_err("refused")) {
        for shown in [error.to_string(), format!("{error:?}")] {
            let lower = shown.to_lowercase();
            assert!(
                !["5ec2", "5ed", "<b", "cookie", "\r"].iter().any(|part| lower.contains(part)),
                "{shown}"
            );
        }
    }
}

#[test]
fn errors_state_what_is_wrong() {
    use ResolveTenantError::{Conflict, Duplicate, Missing};
    assert_eq!(Missing.to_string(), "no tenant is named: the header X-Tenant-ID is missing");
    assert_eq!(Duplicate.to_string(), "the header X-Tenant-ID is there more than once");
    assert_eq!(Conflict.to_string(), "the request names more than one tenant");
    let error = TenantId::parse("").expect_err("empty");
    assert_eq!(ResolveTenantError::from(error).to_string(), error.to_string());
}
