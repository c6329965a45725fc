//! What the crypto services promise, checked through the same function that the worker processes
//! call: bytes in, bytes out.

mod arbitrary_input_is_answered;
mod assertions_get_the_vectors_verdicts;
mod forged_jwts_are_refused;
mod hostile_keys_and_signatures_are_refused;
mod issuer;
mod jwts_of_others_get_the_vectors_verdicts;
mod jwts_verify_with_the_public_key;
mod metrics_hashes_and_node_secrets_match_the_vectors;
mod misshapen_jwts_are_refused;
mod signer;
mod tokens_are_tokenlibs_byte_for_byte;
mod vectors;

use crypto_jobs::{
    BROWSERID_VERIFY, IssueReply, IssueRequest, JWT_VERIFY, TOKEN_ISSUE, VerifyJwtReply,
    VerifyJwtRequest, VerifyReply, VerifyRequest, decode, encode,
};
use workers::crypto::handle;

fn verify(request: &VerifyRequest) -> VerifyReply {
    decode(&handle(BROWSERID_VERIFY, &encode(request)).unwrap()).unwrap()
}

fn verify_jwt(request: &VerifyJwtRequest) -> VerifyJwtReply {
    decode(&handle(JWT_VERIFY, &encode(request)).unwrap()).unwrap()
}

fn issue(request: &IssueRequest) -> IssueReply {
    decode(&handle(TOKEN_ISSUE, &encode(request)).unwrap()).unwrap()
}
