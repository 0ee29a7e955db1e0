//! The envelope of a token: `COSE_Mac0` or `COSE_Sign1` (RFC 9052, sections 4.2 and 6.2).

use crate::cbor::{Int, Reader, Writer};
use crate::error::TokenErrorKind::{self, Algorithm as WrongAlgorithm, Malformed};

/// The longest token, in bytes.
pub const MAX_TOKEN: usize = 512;

/// The longest key id, in bytes.
pub(crate) const MAX_KID: usize = 16;

/// The CBOR tag of a CBOR Web Token (RFC 8392, section 6). It is optional.
const TAG_CWT: u64 = 61;
/// The CBOR tags of the two envelopes (RFC 9052, table 1).
const TAG_MAC0: u64 = 17;
const TAG_SIGN1: u64 = 18;

/// The labels of header parameters (RFC 9052, section 3.1).
const ALG: Int = Int::positive(1);
const KID: Int = Int::positive(4);

/// The algorithms (RFC 9053, sections 2.2 and 3.1).
const ALG_HMAC_256: Int = Int::positive(5);
#[cfg(feature = "ed25519")]
const ALG_EDDSA: Int = Int::negative(7);

/// How a token is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Algorithm {
    /// HMAC with SHA-256, and its whole output.
    Hmac256,
    /// Ed25519.
    #[cfg(feature = "ed25519")]
    EdDsa,
}

impl Algorithm {
    fn of(label: Int) -> Option<Self> {
        match label {
            ALG_HMAC_256 => Some(Self::Hmac256),
            #[cfg(feature = "ed25519")]
            ALG_EDDSA => Some(Self::EdDsa),
            _ => None,
        }
    }

    const fn label(self) -> Int {
        match self {
            Self::Hmac256 => ALG_HMAC_256,
            #[cfg(feature = "ed25519")]
            Self::EdDsa => ALG_EDDSA,
        }
    }

    const fn tag(self) -> u64 {
        match self {
            Self::Hmac256 => TAG_MAC0,
            #[cfg(feature = "ed25519")]
            Self::EdDsa => TAG_SIGN1,
        }
    }

    /// Returns the start of the covered structure: the head of an array of 4 items, and its context text.
    const fn context(self) -> &'static [u8] {
        match self {
            Self::Hmac256 => b"\x84\x64MAC0",
            #[cfg(feature = "ed25519")]
            Self::EdDsa => b"\x84\x6aSignature1",
        }
    }
}

/// What a signature covers: the protected header and the claims, each as an encoded byte string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Covered<'t> {
    pub(crate) protected: &'t [u8],
    pub(crate) payload: &'t [u8],
}

impl<'t> Covered<'t> {
    /// Returns the parts of `MAC_structure` or `Sig_structure` (RFC 9052, sections 6.3 and 4.4).
    ///
    /// The third part is the external data, which is empty.
    pub(crate) const fn parts(&self, algorithm: Algorithm) -> [&'t [u8]; 4] {
        [algorithm.context(), self.protected, b"\x40", self.payload]
    }
}

/// A token whose structure was read, and whose signature was not checked yet.
#[derive(Clone, Debug)]
pub(crate) struct Envelope<'t> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: &'t [u8],
    pub(crate) covered: Covered<'t>,
    pub(crate) claims: &'t [u8],
    pub(crate) signature: &'t [u8],
}

impl<'t> Envelope<'t> {
    /// Reads the structure. It fails with `Malformed`, or with `Algorithm` if the structure is valid.
    // Inlined, it takes 170 bytes more of flash.
    #[inline(never)]
    pub(crate) fn read(token: &'t [u8]) -> Result<Self, TokenErrorKind> {
        if token.len() > MAX_TOKEN {
            return Err(Malformed);
        }
        let mut reader = Reader::new(token);
        let mut tag = reader.tag()?;
        if tag == TAG_CWT {
            tag = reader.tag()?;
        }
        if !matches!(tag, TAG_MAC0 | TAG_SIGN1) || reader.array()? != 4 {
            return Err(Malformed);
        }
        let (header, protected) = encoded_bytes(&mut reader)?;
        let mut header = Reader::new(header);
        let mut headers = Headers { alg: None, kid: None };
        headers.read(&mut header, true)?;
        header.end()?;
        headers.read(&mut reader, false)?;
        let (claims, payload) = encoded_bytes(&mut reader)?;
        let signature = reader.bytes()?;
        reader.end()?;
        let (Some(alg), Some(kid)) = (headers.alg, headers.kid) else { return Err(Malformed) };
        let Alg::Supported(algorithm) = alg else { return Err(WrongAlgorithm) };
        if algorithm.tag() != tag {
            return Err(WrongAlgorithm);
        }
        Ok(Self { algorithm, kid, covered: Covered { protected, payload }, claims, signature })
    }
}

/// Reads a byte string, and returns its content and its encoding.
fn encoded_bytes<'t>(reader: &mut Reader<'t>) -> Result<(&'t [u8], &'t [u8]), TokenErrorKind> {
    let before = reader.rest();
    let content = reader.bytes()?;
    let length = before.len().saturating_sub(reader.rest().len());
    Ok((content, before.get(..length).ok_or(Malformed)?))
}

enum Alg {
    Supported(Algorithm),
    Other,
}

/// The header parameters of both headers together: neither of them may occur twice.
struct Headers<'t> {
    alg: Option<Alg>,
    kid: Option<&'t [u8]>,
}

impl<'t> Headers<'t> {
    /// Reads a map of header parameters. Only the protected one may name the algorithm.
    fn read(&mut self, reader: &mut Reader<'t>, is_protected: bool) -> Result<(), TokenErrorKind> {
        for _ in 0..reader.map()? {
            match reader.integer()? {
                ALG if is_protected && self.alg.is_none() => {
                    let algorithm = reader.integer_or_string()?.and_then(Algorithm::of);
                    self.alg = Some(algorithm.map_or(Alg::Other, Alg::Supported));
                }
                KID if self.kid.is_none() => {
                    let kid = reader.bytes()?;
                    if kid.is_empty() || kid.len() > MAX_KID {
                        return Err(Malformed);
                    }
                    self.kid = Some(kid);
                }
                _ => return Err(Malformed),
            }
        }
        Ok(())
    }
}

/// Writes everything that precedes the claims, and returns the place of the protected header.
pub(crate) fn write_headers(
    writer: &mut Writer<'_>,
    algorithm: Algorithm,
    kid: &[u8],
) -> core::ops::Range<usize> {
    writer.tag(algorithm.tag());
    writer.array(4);
    let mut counter = Writer::new(&mut []);
    write_protected(&mut counter, algorithm, kid);
    let start = writer.length();
    writer.bytes_head(counter.length());
    write_protected(writer, algorithm, kid);
    let end = writer.length();
    // The unprotected header is empty.
    writer.map(0);
    start..end
}

fn write_protected(writer: &mut Writer<'_>, algorithm: Algorithm, kid: &[u8]) {
    writer.map(2);
    writer.integer(ALG);
    writer.integer(algorithm.label());
    writer.integer(KID);
    writer.bytes(kid);
}
