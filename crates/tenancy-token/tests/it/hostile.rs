//! Random hostile tokens: of attackers without a key, and of a sender that has one and breaks the rules.
//!
//! `TENANCY_TOKENS` sets the number of tokens, and `SEED` the seed of the random numbers.

use std::collections::HashMap;
use std::env;
use std::sync::LazyLock;

use ciborium::Value;
use fastrand::Rng;
use tenancy_token::{Claims, TokenErrorKind, TokenKey, UnixSeconds, Verifier};

use crate::support::*;

const JOB: &[u8] = b"job 17";

fn amount() -> u64 {
    env::var("TENANCY_TOKENS").map_or(100_000, |count| count.parse::<u64>().expect("a number") / 2)
}

fn random() -> Rng {
    Rng::with_seed(env::var("SEED").map_or(20, |seed| seed.parse().expect("a number")))
}

/// How often each verdict was seen.
#[derive(Default)]
struct Verdicts(HashMap<Option<TokenErrorKind>, u64>);

impl Verdicts {
    fn add(&mut self, kind: Option<TokenErrorKind>) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Checks that the random tokens reach all these steps.
    fn expect_all(&self, kinds: &[Option<TokenErrorKind>]) {
        println!("{:?}", self.0);
        for kind in kinds {
            assert!(self.0.contains_key(kind), "no token ended with {kind:?}");
        }
    }
}

fn any<T: Clone>(random: &mut Rng, items: &[T]) -> T {
    items[random.usize(..items.len())].clone()
}

/// Attackers: they have genuine tokens and all public data, and no secret.
mod forged {
    use TokenErrorKind::{Algorithm, Audience, Expired, Malformed, Payload, Signature, UnknownKey};

    use super::*;

    struct Attack {
        verifier: Verifier<3>,
        genuine: Vec<Vec<u8>>,
        /// Tokens that the attacker can sign: with secrets of its own, or with a public key as a secret.
        own: Vec<Vec<u8>>,
    }

    fn attack() -> Attack {
        let keys =
            [TokenKey::hmac(KID, &SECRET), TokenKey::hmac(b"2", &[8; 32])].map(|key| key.expect("a key"));
        let minted = [
            claims(),
            claims().subject("device").issuer("cloud"),
            claims().id(b"12345678").issued_at(NOW).not_before(NOW),
            Claims::new(OTHER, "jobs", NOW.after(300)),
            Claims::new(OTHER, "other", NOW.after(300)),
            Claims::new(TENANT, "jobs", UnixSeconds(1)),
            claims().payload(JOB),
        ];
        let all = |key: &TokenKey| minted.iter().map(|claims| mint(key, claims)).collect::<Vec<_>>();
        let mut genuine: Vec<_> = keys.iter().flat_map(all).collect();
        // As Python's `cwt` writes them.
        let kid = map(&[(unsigned(4), bytes(KID))]);
        genuine.push(message(&map(&[(unsigned(1), unsigned(5))]), &kid, &map(&required())));
        let [first, second] = keys;
        let mut verifier = Verifier::<3>::new("jobs").key(first).unwrap().key(second).unwrap();
        let mut secrets =
            vec![(KID, [9; 32]), (b"2", SECRET), (KID, [8; 32]), (b"3", SECRET), (b"e", [0; 32])];
        #[cfg(feature = "ed25519")]
        {
            // RFC 8032, section 7.1, test 1.
            let public =
                *b"\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\
                \x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";
            let seed =
                *b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\x44\x49\xc5\x69\x7b\x32\
                \x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
            genuine.push(mint(&TokenKey::ed25519(b"e", &seed).unwrap(), &claims()));
            verifier = verifier.key(TokenKey::ed25519_public(b"e", &public).unwrap()).unwrap();
            secrets.extend([(&b"e"[..], public), (KID, public)]);
        }
        #[cfg(not(feature = "ed25519"))]
        {
            verifier = verifier.key(TokenKey::hmac(b"e", &[10; 32]).unwrap()).unwrap();
        }
        // Each key id has a secret of its own: the secret of `KID` does not verify a token of `2`.
        secrets.retain(|(kid, secret)| !(*kid == KID && *secret == SECRET));
        let own =
            secrets.iter().flat_map(|(kid, secret)| all(&TokenKey::hmac(kid, secret).unwrap())).collect();
        Attack { verifier, genuine, own }
    }

    /// Changes a token in one way.
    fn mutate(random: &mut Rng, attack: &Attack, token: &mut Vec<u8>) {
        let at = random.usize(..token.len().max(1));
        match random.u8(..14) {
            0 => token.truncate(at),
            1 => token.extend((0..random.usize(1..40)).map(|_| random.u8(..))),
            2 => token.insert(at.min(token.len()), random.u8(..)),
            3 if !token.is_empty() => _ = token.remove(at),
            4 if !token.is_empty() => token[at] ^= 1 << random.u8(..8),
            5 if !token.is_empty() => token[at] = random.u8(..),
            // A part of another token in the same or another place.
            6 => {
                let tokens = if random.bool() { &attack.genuine } else { &attack.own };
                let other = any(random, tokens);
                let start = random.usize(..other.len());
                let end = random.usize(start..=other.len());
                let place = if random.bool() { start } else { at };
                if place <= token.len() {
                    token.splice(
                        place..(place + end - start).min(token.len()),
                        other[start..end].iter().copied(),
                    );
                }
            }
            // The code or signature of another token, or a part of it, or zeros.
            7 => {
                let other = any(random, &attack.genuine);
                let length = random.usize(..=33.min(other.len()));
                let start = token.len().saturating_sub(34);
                token.truncate(start);
                let code =
                    if random.bool() { other[other.len() - length..].to_vec() } else { vec![0; length] };
                token.extend(bytes(&code));
            }
            // Two parts in reverse order.
            8 => token.rotate_left(at),
            // A head in a longer form, with an indefinite length, or of another type.
            9 if !token.is_empty() => {
                let first = token[at];
                let changed: &[u8] = match random.u8(..4) {
                    0 => &[first & 0xe0 | 0x18, first & 0x1f],
                    1 => &[first & 0xe0 | 0x1f],
                    2 => &[first & 0xe0 | 0x19, 0, first & 0x1f],
                    _ => &[first & 0x1f | random.u8(..8) << 5],
                };
                token.splice(at..=at, changed.iter().copied());
            }
            // Another algorithm or another envelope.
            10 => {
                let (from, to) = any(
                    random,
                    &[
                        (&[0x01, 0x05][..], &[0x01, 0x27][..]),
                        (&[0x01, 0x27], &[0x01, 0x05]),
                        (&[0x01, 0x05], &[0x01, 0x04]),
                    ],
                );
                replace(token, from, to);
            }
            11 if !token.is_empty() => token[0] = any(random, &[0xd1, 0xd2, 0xd0, 0x84]),
            12 => {
                let head =
                    any(random, &[&[0xd8, 61][..], &[0xd1], &[0xd2], &[0xd9, 0, 61], &[0xd9, 0xd9, 0xf7]]);
                token.splice(..0, head.iter().copied());
            }
            // Another key id, tenant, audience or lifetime.
            _ => {
                let (from, to) = any(
                    random,
                    &[
                        (KID, &b"2026-11"[..]),
                        (&[0x47], &[0x41]),
                        (TENANT.as_bytes(), OTHER.as_bytes()),
                        (OTHER.as_bytes(), TENANT.as_bytes()),
                        (b"other", b"jobs"),
                        (b"jobs", b"JOBS"),
                        (&[0x04, 0x1a], &[0x04, 0x1b]),
                    ],
                );
                replace(token, from, to);
            }
        }
    }

    fn replace(token: &mut Vec<u8>, from: &[u8], to: &[u8]) {
        if let Some(at) = token.windows(from.len()).position(|part| part == from) {
            token.splice(at..at + from.len(), to.iter().copied());
        }
    }

    #[test]
    fn accepts_no_token_but_genuine_ones() {
        let (mut random, attack, mut verdicts) = (random(), attack(), Verdicts::default());
        for number in 0..amount() {
            let tokens = if random.u8(..8) == 0 { &attack.own } else { &attack.genuine };
            let mut token = any(&mut random, tokens);
            for _ in 0..random.u8(..4) {
                mutate(&mut random, &attack, &mut token);
            }
            let verdict = match attack.verifier.verify(&token, NOW) {
                // The tag in front is optional, and not covered.
                Ok(_) => {
                    let bare = token.strip_prefix(&[0xd8, 61]).unwrap_or(&token);
                    assert!(attack.genuine.iter().any(|genuine| genuine == bare), "{number}: {token:x?}");
                    None
                }
                Err(error) => Some(error.kind()),
            };
            verdicts.add(verdict);
            // With a payload, only the sealed token is accepted.
            if let Ok(verified) = attack.verifier.open(&token, JOB, NOW) {
                assert_eq!((verified.tenant(), verdict), (TENANT, Some(TokenErrorKind::Payload)));
            }
        }
        let kinds = [Malformed, UnknownKey, Algorithm, Signature, Expired, Audience, Payload].map(Some);
        verdicts.expect_all(&[&kinds[..], &[None]].concat());
    }
}

/// A sender with a key, whose tokens break rules. What is right is decided by `ciborium` and a model of the rules.
mod signed {
    use TokenErrorKind::{Algorithm, Audience, Expired, Malformed, NotYetValid, Payload, Signature, Tenant};

    use super::*;

    #[derive(Clone, Debug)]
    enum Item {
        Int(i128),
        Bytes(Vec<u8>),
        Text(String),
        Array(Vec<Item>),
        Map(Vec<(Item, Item)>),
        Tag(u64, Box<Item>),
        /// Encoded already: a simple value, a float, or no data item at all.
        Raw(&'static [u8]),
    }

    /// Writes items, with or without faults in their encoding.
    struct Encoder<'r> {
        random: &'r mut Rng,
        is_faulty: bool,
    }

    impl Encoder<'_> {
        fn has_fault(&mut self) -> bool {
            self.is_faulty && self.random.u8(..12) == 0
        }

        fn head(&mut self, kind: u8, argument: u64) -> Vec<u8> {
            if !self.has_fault() {
                return head(kind, argument);
            }
            // A longer form; if the argument does not fit, its low bytes.
            let power = self.random.u8(..4);
            [&[kind << 5 | (0x18 + power)], &argument.to_be_bytes()[8 - (1 << power)..]].concat()
        }

        fn string(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
            if self.has_fault() {
                let (start, end) = content.split_at(content.len() / 2);
                let pieces = [start, end].map(|part| [head(kind, part.len() as u64), part.to_vec()].concat());
                return [&[kind << 5 | 0x1f], &pieces.concat()[..], &[0xff]].concat();
            }
            [self.head(kind, content.len() as u64), content.to_vec()].concat()
        }

        fn list(&mut self, kind: u8, count: usize, content: Vec<u8>) -> Vec<u8> {
            if self.has_fault() {
                return [&[kind << 5 | 0x1f], &content[..], &[0xff]].concat();
            }
            [self.head(kind, count as u64), content].concat()
        }

        fn item(&mut self, item: &Item) -> Vec<u8> {
            match item {
                Item::Int(value @ 0..) => self.head(0, u64::try_from(*value).unwrap()),
                Item::Int(value) => self.head(1, u64::try_from(-1 - value).unwrap()),
                Item::Bytes(content) => self.string(2, content),
                Item::Text(content) => self.string(3, content.as_bytes()),
                Item::Array(items) => {
                    let content = items.iter().flat_map(|item| self.item(item)).collect();
                    self.list(4, items.len(), content)
                }
                Item::Map(entries) => {
                    let pairs =
                        entries.iter().flat_map(|(key, value)| [self.item(key), self.item(value)].concat());
                    let content = pairs.collect();
                    self.list(5, entries.len(), content)
                }
                Item::Tag(tag, item) => [self.head(6, *tag), self.item(item)].concat(),
                Item::Raw(bytes) => bytes.to_vec(),
            }
        }
    }

    fn bytes_of(content: &[u8]) -> Item {
        Item::Bytes(content.to_vec())
    }

    fn text_of(content: &str) -> Item {
        Item::Text(content.to_owned())
    }

    fn any_item(random: &mut Rng, depth: u8) -> Item {
        match random.u8(..if depth == 0 { 7 } else { 10 }) {
            0 => Item::Int(i128::from(random.u64(..)) >> random.u8(..64)),
            1 => Item::Int(-1 - (i128::from(random.u64(..)) >> random.u8(..64))),
            2 => Item::Bytes((0..random.usize(..40)).map(|_| random.u8(..)).collect()),
            3 => text_of(any(random, &["", "jobs", "job", "device", "\u{fc}"])),
            4 => Item::Int(i128::from(NOW.0) + i128::from(random.i8(-2..3))),
            5 => Item::Raw(any(
                random,
                &[
                    &b"\xf6"[..],
                    b"\xf5",
                    b"\xf9\x3c\x00",
                    b"\xfb\x41\xda\xcf\x9a\xc0\x00\x00\x01",
                    b"\x62\xc3\x28",
                    b"\xff",
                    b"\x1c",
                ],
            )),
            6 => bytes_of(&any(random, &[[0; 16], [0xff; 16], *TENANT.as_bytes(), *OTHER.as_bytes()])),
            7 => Item::Array((0..random.u8(..3)).map(|_| any_item(random, depth - 1)).collect()),
            8 => {
                let pairs =
                    (0..random.u8(..3)).map(|_| (any_item(random, depth - 1), any_item(random, depth - 1)));
                Item::Map(pairs.collect())
            }
            _ => Item::Tag(any(random, &[1, 2, 37, 61]), Box::new(any_item(random, depth - 1))),
        }
    }

    fn any_label(random: &mut Rng) -> Item {
        match random.u8(..8) {
            0 => any_item(random, 1),
            1 => Item::Int(-70_001),
            2 => Item::Int(-70_002),
            _ => Item::Int(random.u8(..12).into()),
        }
    }

    /// A claim whose value has the right type.
    fn any_claim(random: &mut Rng) -> (Item, Item) {
        let time = Item::Int(i128::from(NOW.0) + i128::from(random.i8(-2..3)));
        let digest = <sha2::Sha256 as sha2::Digest>::digest(JOB);
        any(
            random,
            &[
                (Item::Int(1), text_of("cloud")),
                (Item::Int(2), text_of("device")),
                (Item::Int(5), time.clone()),
                (Item::Int(6), time),
                (Item::Int(7), bytes_of(b"0123456789abcdefg")),
                (Item::Int(7), bytes_of(b"0123456789abcdef")),
                (Item::Int(7), bytes_of(b"01234567")),
                (Item::Int(-70_002), bytes_of(&digest)),
                (Item::Int(-70_002), bytes_of(&[0; 32])),
            ],
        )
    }

    fn any_claims(random: &mut Rng) -> Item {
        let audience = any(random, &["jobs", "jobs", "jobs", "jobs", "job", ""]);
        let expiry = any(random, &[300, 300, 300, 1, 0, -1]);
        let tenant =
            any(random, &[*TENANT.as_bytes(), *TENANT.as_bytes(), *OTHER.as_bytes(), [0; 16], [0xff; 16]]);
        let mut entries = vec![
            (Item::Int(3), text_of(audience)),
            (Item::Int(4), Item::Int(i128::from(NOW.0) + expiry)),
            (Item::Int(-70_001), bytes_of(&tenant)),
        ];
        for _ in 0..random.u8(..4) {
            let at = random.usize(..=entries.len());
            match random.u8(..8) {
                0..3 => entries.insert(at, any_claim(random)),
                3 => entries.insert(at, (any_label(random), any_item(random, 2))),
                4 => _ = entries.pop(),
                5 => random.shuffle(&mut entries),
                6 if at < entries.len() => entries.insert(0, entries[at].clone()),
                _ if at < entries.len() && random.bool() => entries[at].0 = any_label(random),
                _ if at < entries.len() => entries[at].1 = any_item(random, 2),
                _ => {}
            }
        }
        Item::Map(entries)
    }

    fn any_headers(random: &mut Rng) -> [Item; 2] {
        let kid = (Item::Int(4), bytes_of(KID));
        let mut headers = [vec![(Item::Int(1), Item::Int(5)), kid.clone()], vec![]];
        match random.u8(..12) {
            0..4 => {}
            4..7 => headers = [vec![(Item::Int(1), Item::Int(5))], vec![kid]],
            7 => {
                headers[0][0].1 =
                    any(random, &[Item::Int(4), Item::Int(-8), Item::Int(-7), text_of("HS256")]);
            }
            _ => {
                for _ in 0..random.u8(1..3) {
                    let value = match random.u8(..4) {
                        0 => any_item(random, 1),
                        1 => bytes_of(any(random, &[&b""[..], b"2", KID, b"0123456789abcdefg"])),
                        2 => Item::Int(any(random, &[5, 4, -8, -7])),
                        _ => text_of("HS256"),
                    };
                    let header = &mut headers[random.usize(..2)];
                    let label = Item::Int(random.u8(1..6).into());
                    header.insert(random.usize(..=header.len()), (label, value));
                }
            }
        }
        headers.map(Item::Map)
    }

    fn any_message(random: &mut Rng) -> Vec<u8> {
        let (headers, claims) = (any_headers(random), any_claims(random));
        // Half of the tokens have no fault in their encoding.
        let is_faulty = random.bool();
        let mut encoder = Encoder { random, is_faulty };
        let [protected, unprotected] = headers.map(|header| encoder.item(&header));
        let claims = encoder.item(&claims);
        let code = code(&protected, &claims);
        let parts = [
            encoder.string(2, &protected),
            unprotected,
            encoder.string(2, &claims),
            encoder.string(2, &code),
        ];
        let message = [encoder.head(6, 17), encoder.list(4, 4, parts.concat())].concat();
        match random.u8(..16) {
            0 => [&[0xd8, 61], &message[..]].concat(),
            1 => [message, vec![random.u8(..)]].concat(),
            _ => message,
        }
    }

    /// Reads one data item in deterministic encoding: written again, it has the same bytes.
    fn strict(bytes: &[u8]) -> Option<Value> {
        let mut rest = bytes;
        let value: Value = ciborium::from_reader(&mut rest).ok()?;
        let mut again = Vec::new();
        ciborium::into_writer(&value, &mut again).expect("a vector grows");
        (rest.is_empty() && again == bytes).then_some(value)
    }

    /// Returns the entries of a map whose keys are distinct integers.
    fn entries(value: Value) -> Option<HashMap<i128, Value>> {
        let Value::Map(pairs) = value else { return None };
        let count = pairs.len();
        let entries: Option<HashMap<_, _>> =
            pairs.into_iter().map(|(key, value)| Some((key.into_integer().ok()?.into(), value))).collect();
        entries.filter(|entries| entries.len() == count)
    }

    /// The rules of the format: the tenant of a token that is accepted, with or without `JOB`.
    fn model(token: &[u8], sealed: bool) -> Option<[u8; 16]> {
        static DIGEST: LazyLock<[u8; 32]> =
            LazyLock::new(|| <sha2::Sha256 as sha2::Digest>::digest(JOB).into());
        let mut value = strict(token).filter(|_| token.len() <= 512)?;
        if let Value::Tag(61, inner) = value {
            value = *inner;
        }
        let Value::Tag(17, value) = value else { return None };
        let [protected, unprotected, claims, tag]: [Value; 4] = value.into_array().ok()?.try_into().ok()?;
        let (protected, claims) = (protected.into_bytes().ok()?, claims.into_bytes().ok()?);
        if tag.into_bytes().ok()? != code(&protected, &claims) {
            return None;
        }
        let (mut protected, mut unprotected) = (entries(strict(&protected)?)?, entries(unprotected)?);
        let kids = [protected.remove(&4), unprotected.remove(&4)];
        let alg = protected.remove(&1)?.into_integer().ok()?;
        let kid = match kids {
            [Some(kid), None] | [None, Some(kid)] => kid.into_bytes().ok()?,
            _ => return None,
        };
        if alg != 5.into() || kid != KID || !protected.is_empty() || !unprotected.is_empty() {
            return None;
        }
        let mut claims = entries(strict(&claims)?)?;
        let time = |value: Value| u64::try_from(i128::from(value.into_integer().ok()?)).ok();
        let tenant: [u8; 16] = claims.remove(&-70_001)?.into_bytes().ok()?.try_into().ok()?;
        let audience = claims.remove(&3)?.into_text().ok()?;
        let expires_at = time(claims.remove(&4)?)?;
        let digest = claims.remove(&-70_002).map(|digest| digest.into_bytes().ok()?.try_into().ok());
        let digest: Option<[u8; 32]> = match digest {
            Some(digest) => Some(digest?),
            None => None,
        };
        let not_before = claims.remove(&5).map_or(Some(0), time)?;
        let forms = claims.into_iter().all(|(label, value)| match label {
            1 | 2 => value.is_text(),
            6 => time(value).is_some(),
            7 => value.as_bytes().is_some_and(|id| (8..=16).contains(&id.len())),
            _ => value.is_integer() || value.is_text() || value.is_bytes(),
        });
        let is_valid = forms
            && ![[0; 16], [0xff; 16]].contains(&tenant)
            && audience == "jobs"
            && NOW.0 < expires_at
            && NOW.0 >= not_before
            && digest == sealed.then_some(*DIGEST);
        is_valid.then_some(tenant)
    }

    #[test]
    fn accepts_exactly_what_the_rules_accept() {
        let (mut random, verifier, mut verdicts) = (random(), verifier(), Verdicts::default());
        for number in 0..amount() {
            let token = any_message(&mut random);
            let result = verifier.verify(&token, NOW);
            let tenant = result.as_ref().ok().map(|verified| *verified.tenant().as_bytes());
            assert_eq!(tenant, model(&token, false), "{number}: {token:x?}");
            let opened = verifier.open(&token, JOB, NOW).ok().map(|verified| *verified.tenant().as_bytes());
            assert_eq!(opened, model(&token, true), "{number}: {token:x?}");
            verdicts.add(result.err().map(|error| error.kind()));
        }
        let kinds = [Malformed, Algorithm, Expired, NotYetValid, Audience, Tenant, Payload];
        verdicts.expect_all(&[&kinds.map(Some)[..], &[None]].concat());
        assert!(!verdicts.0.contains_key(&Some(Signature)), "all tokens of this test are signed");
    }
}
