//! Project Wycheproof's vectors, through the same functions that jobs go through.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::{EcCurve, Jwk, JwsAlgorithm, KeyMaterial, OkpCurve};
use num_bigint::BigUint;
use wycheproof::{TestResult, dsa, ecdsa, eddsa, hkdf, rsa_pkcs1_verify, rsa_pss_verify};

use super::{dsa as own_dsa, hkdf as own_hkdf, rsa as own_rsa, verify_jwt::is_signature};

fn number(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A coordinate of `size` bytes: vectors strip zeros from the front, or add one.
fn coordinate(bytes: &[u8], size: usize) -> String {
    let digits = BigUint::from_bytes_be(bytes).to_bytes_be();
    let mut padded = vec![0; size - digits.len()];
    padded.extend(digits);
    number(&padded)
}

fn key(material: KeyMaterial) -> Jwk {
    Jwk {
        kid: None,
        algorithm: None,
        material,
    }
}

/// A key of RSA, from its numbers.
fn rsa_key(n: &[u8], e: &[u8]) -> Jwk {
    let digits = |bytes| number(&BigUint::from_bytes_be(bytes).to_bytes_be());
    key(KeyMaterial::Rsa {
        n: digits(n),
        e: digits(e),
    })
}

/// Compares verdicts with those of the vectors, and counts them.
#[derive(Default)]
struct Judge {
    judged: usize,
}

impl Judge {
    /// Of what is merely acceptable, either verdict will do.
    fn check(&mut self, accepted: bool, expected: TestResult, what: &str, test: usize) {
        match expected {
            TestResult::Valid => assert!(accepted, "{what} {test}: refused"),
            TestResult::Invalid => assert!(!accepted, "{what} {test}: accepted"),
            TestResult::Acceptable => {}
        }
        self.judged += 1;
    }

    /// No file of vectors has come out empty.
    fn has_judged(&self, least: usize) {
        assert!(self.judged >= least, "only {}", self.judged);
    }
}

/// Has the signatures of groups judged: how a group's key is written, and with which algorithm.
macro_rules! judge_signatures {
    ($judge:ident, $name:expr, $groups:expr, $algorithm:expr, $own:ident => $key:expr) => {
        for group in $groups {
            let $own = &group.key;
            let jwk = $key;
            for test in &group.tests {
                let accepted = is_signature(&jwk, $algorithm, &test.msg, &test.sig);
                $judge.check(accepted, test.result, &format!("{:?}", $name), test.tc_id);
            }
        }
    };
}

#[test]
fn rsa_with_pkcs1_padding() {
    use rsa_pkcs1_verify::{TestName as Name, TestSet};

    let mut judge = Judge::default();
    for (name, algorithm) in [
        (Name::Rsa2048Sha256, JwsAlgorithm::Rs256),
        (Name::Rsa3072Sha256, JwsAlgorithm::Rs256),
        (Name::Rsa4096Sha256, JwsAlgorithm::Rs256),
        (Name::Rsa2048Sha384, JwsAlgorithm::Rs384),
        (Name::Rsa4096Sha384, JwsAlgorithm::Rs384),
        (Name::Rsa2048Sha512, JwsAlgorithm::Rs512),
        (Name::Rsa4096Sha512, JwsAlgorithm::Rs512),
    ] {
        let groups = TestSet::load(name).unwrap().test_groups;
        judge_signatures!(judge, name, groups, algorithm, key => rsa_key(&key.n, &key.e));
    }
    judge.has_judged(1000);
}

/// BrowserID's own check: the way through `ring`, and the one for moduli that are too short for it, of
/// which there are no vectors, and to which a longer one makes no difference.
#[test]
fn rsa_with_pkcs1_padding_of_browserid() {
    use rsa_pkcs1_verify::{TestName as Name, TestSet};

    let (mut judge, mut judge_short) = (Judge::default(), Judge::default());
    let set = TestSet::load(Name::Rsa2048Sha256).unwrap();
    for group in set.test_groups {
        let big = BigUint::from_bytes_be;
        let key = own_rsa::Key::new(big(&group.key.n), big(&group.key.e));
        let key = key.expect("a key of a size that BrowserID has");
        for test in &group.tests {
            let accepted = key.verify(&test.msg, &test.sig);
            judge.check(accepted, test.result, "RS256", test.tc_id);
            let accepted = key.verify_short(&test.msg, &test.sig);
            judge_short.check(accepted, test.result, "RS256, short", test.tc_id);
            // The same number, but too long: the vectors have none like it.
            let longer = [&[0], &test.sig[..]].concat();
            assert!(!key.verify(&test.msg, &longer), "{}", test.tc_id);
            assert!(!key.verify_short(&test.msg, &longer), "{}", test.tc_id);
        }
    }
    judge.has_judged(200);
    judge_short.has_judged(200);
}

#[test]
fn rsa_with_pss_padding() {
    use rsa_pss_verify::{TestName as Name, TestSet};

    let mut judge = Judge::default();
    for (name, algorithm) in [
        (Name::RsaPss2048Sha256Mgf1SaltLen32, JwsAlgorithm::Ps256),
        (Name::RsaPss3072Sha256Mgf1SaltLen32, JwsAlgorithm::Ps256),
        (Name::RsaPss2048Sha384Mgf1SaltLen48, JwsAlgorithm::Ps384),
        (Name::RsaPss4096Sha512Mgf1SaltLen64, JwsAlgorithm::Ps512),
    ] {
        let groups = TestSet::load(name).unwrap().test_groups;
        judge_signatures!(judge, name, groups, algorithm, key => rsa_key(&key.n, &key.e));
    }
    judge.has_judged(300);
}

#[test]
fn ecdsa_with_signatures_of_fixed_length() {
    use ecdsa::{TestName as Name, TestSet};

    let mut judge = Judge::default();
    for (name, algorithm, crv, size) in [
        (
            Name::EcdsaSecp256r1Sha256P1363,
            JwsAlgorithm::Es256,
            EcCurve::P256,
            32,
        ),
        (
            Name::EcdsaSecp384r1Sha384P1363,
            JwsAlgorithm::Es384,
            EcCurve::P384,
            48,
        ),
    ] {
        let groups = TestSet::load(name).unwrap().test_groups;
        judge_signatures!(judge, name, groups, algorithm, point => {
            key(KeyMaterial::Ec {
                crv,
                x: coordinate(&point.affine_x, size),
                y: coordinate(&point.affine_y, size),
            })
        });
    }
    judge.has_judged(400);
}

#[test]
fn eddsa_with_ed25519() {
    let mut judge = Judge::default();
    let name = eddsa::TestName::Ed25519;
    let groups = eddsa::TestSet::load(name).unwrap().test_groups;
    judge_signatures!(judge, name, groups, JwsAlgorithm::EdDsa, point => {
        key(KeyMaterial::Okp {
            crv: OkpCurve::Ed25519,
            x: number(&point.pk),
        })
    });
    judge.has_judged(100);
}

#[test]
fn dsa_with_signatures_of_fixed_length() {
    let mut judge = Judge::default();
    let set = dsa::TestSet::load(dsa::TestName::Dsa2048_256Sha256P1363).unwrap();
    for group in set.test_groups {
        let big = BigUint::from_bytes_be;
        let key = &group.key;
        let key = own_dsa::Key::new(&big(&key.y), &big(&key.p), &big(&key.q), &big(&key.g));
        let key = key.expect("a key of a size that BrowserID has");
        for test in &group.tests {
            let accepted = key.verify(&test.msg, &test.sig);
            judge.check(accepted, test.result, "DSA", test.tc_id);
        }
    }
    judge.has_judged(50);
}

#[test]
fn hkdf_with_sha256() {
    let mut judge = Judge::default();
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let salt = Some(&test.salt[..]).filter(|salt| !salt.is_empty());
        let derived = own_hkdf::derive(&test.ikm, salt, &[&test.info], test.size);
        let accepted = derived.is_some_and(|derived| derived[..] == test.okm[..]);
        judge.check(accepted, test.result, "HKDF", test.tc_id);
    }
    judge.has_judged(50);
}
