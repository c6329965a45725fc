// Verifies BrowserID assertions: a certificate, in which an issuer vouches for a user's key and address, and an assertion signed with that key.
#pragma once

#include <arpa/inet.h>

#include "base64url.hpp"
#include "keys.hpp"
#include "message.hpp"

namespace crypto::browserid {

// Why an assertion was refused: a name of crypto-jobs' Rejection. Checks run in its order, and the first that fails is told.
struct Rejection {
    const char *name;
};

inline void require(bool holds, const char *otherwise) {
    if (!holds)
        throw Rejection{otherwise};
}

namespace detail {

constexpr std::size_t max_assertion = 16 * 1024;
constexpr std::size_t max_issuer_keys = 8;
// As serde_json: an array or object inside of so many others is refused.
constexpr int max_json_depth = 127;

inline bool all_of(std::string_view text, std::string_view allowed) { return text.find_first_not_of(allowed) == std::string_view::npos; }

constexpr std::string_view digits = "0123456789";

// Lower-case `host` or `host:port`, in the one spelling that URL parsers leave alone.
inline bool is_host(std::string_view text) {
    const auto colon = text.find(':');
    const std::string name(text.substr(0, colon));
    if (colon != std::string_view::npos) {
        const std::string port(text.substr(colon + 1));
        if (port.empty() || port.size() > 5 || !all_of(port, digits) || std::stoul(port) > 65535)
            return false;
    }
    if (name.size() > 253 || name.empty() || name.front() == '.' || name.back() == '.' || name.find("..") != std::string::npos ||
        !all_of(name, "abcdefghijklmnopqrstuvwxyz0123456789_-."))
        return false;
    // A name that ends in a number is an IPv4 address to URL parsers, in whichever notation.
    const std::string last = name.substr(name.rfind('.') + 1);
    const bool numeric = last.rfind("0x", 0) == 0 ? all_of(std::string_view(last).substr(2), "0123456789abcdef") : all_of(last, digits);
    in_addr address{};
    return !numeric || inet_pton(AF_INET, name.c_str(), &address) == 1;
}

// Whether an address is one that BrowserID allows. ASCII only: what names an account must have a single form.
inline bool is_email(std::string_view email) {
    const auto at = email.find('@');
    if (email.size() > 254 || at == std::string_view::npos || at == 0)
        return false;
    static constexpr std::string_view local = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~.-";
    return all_of(email.substr(0, at), local) && is_host(email.substr(at + 1));
}

// Text that is one JSON object. Nothing for anything else.
inline std::optional<Json> json_object(std::string_view text) {
    bool is_too_deep = false;
    const auto watch = [&](int depth, Json::parse_event_t event, Json &) {
        const bool begins = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
        is_too_deep |= begins && depth >= max_json_depth;
        return !is_too_deep;
    };
    // nlohmann would take a byte order mark.
    if (text.empty() || text.front() == '\xef')
        return std::nullopt;
    Json json = Json::parse(text, watch, false);
    if (is_too_deep || !json.is_object())
        return std::nullopt;
    return json;
}

// Takes a member out of an object.
inline Json take(Json &object, const char *name) {
    const auto found = object.find(name);
    require(found != object.end(), "malformed");
    Json value = std::move(*found);
    object.erase(found);
    return value;
}

inline std::string take_text(Json &object, const char *name) {
    const Json value = take(object, name);
    require(value.is_string(), "malformed");
    return value.get<std::string>();
}

// In milliseconds since 1970; whatever lies before that is 1970.
inline std::uint64_t milliseconds(const Json &value) {
    require(value.is_number(), "malformed");
    if (value.is_number_unsigned())
        return value.get<std::uint64_t>();
    const auto fraction = value.get<double>();
    if (!(fraction > 0))
        return 0;
    return fraction >= 18446744073709551616.0 ? UINT64_MAX : static_cast<std::uint64_t>(fraction);
}

struct Times {
    std::uint64_t expires;
    std::optional<std::uint64_t> issued;

    static Times take_from(Json &claims) {
        Times times{milliseconds(take(claims, "exp")), std::nullopt};
        if (claims.contains("iat"))
            times.issued = milliseconds(take(claims, "iat"));
        return times;
    }

    void check(std::uint64_t now) const {
        require(expires >= now, "expired");
        require(!issued || *issued <= now, "not-yet-valid");
    }
};

// A signed object.
struct Signed {
    std::string algorithm, signature;
    // Header and payload as they were signed.
    std::string_view text;
    Json claims;

    explicit Signed(std::string_view compact) {
        const auto second = compact.rfind('.');
        require(second != std::string_view::npos, "malformed");
        text = compact.substr(0, second);
        const auto first = text.find('.');
        require(first != std::string_view::npos && first == text.rfind('.'), "malformed");
        const auto part = [](std::string_view segment) {
            auto bytes = base64url::decode(segment);
            require(bytes.has_value(), "malformed");
            return std::move(*bytes);
        };
        const auto object = [&](std::string_view segment) {
            auto json = json_object(part(segment));
            require(json.has_value(), "malformed");
            return std::move(*json);
        };
        Json header = object(text.substr(0, first));
        claims = object(text.substr(first + 1));
        signature = part(compact.substr(second + 1));
        algorithm = take_text(header, "alg");
    }

    // Whether one of the keys made the signature. The algorithm must be the one that belongs to the key: the header only says which keys to
    // try, never how.
    void check(const std::vector<VerifyingKey> &keys, const std::set<std::string> &accepted) const {
        require(accepted.count(algorithm) != 0, "unsupported-algorithm");
        bool fits = false, verifies = false;
        for (const auto &key : keys) {
            if (key.algorithm() != algorithm || verifies)
                continue;
            fits = true;
            verifies = key.verify(text, signature);
        }
        require(fits, "unsupported-algorithm");
        require(verifies, "bad-signature");
    }
};

// Drops the claims that have a meaning of their own.
inline void drop_reserved(Json &claims) {
    for (const char *name : {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "public-key", "pubkey", "principal"})
        claims.erase(name);
}

// What the web tier found out about the issuer. Reading it and judging it are two steps: a request that is none is no rejection.
struct Issuer {
    const char *refusal = nullptr;
    std::vector<VerifyingKey> keys;

    explicit Issuer(const Json &finding) {
        const auto &[name, value] = variant(finding);
        if (name == "untrusted") {
            refusal = "untrusted-issuer";
        } else if (name == "unusable") {
            refusal = "unusable-issuer";
        } else if (name == "unavailable") {
            refusal = "issuer-unavailable";
        } else if (name == "known") {
            const Json &listed = Structure(value, {"keys"}).member("keys");
            if (!listed.is_array())
                throw NoRequest();
            std::size_t read = 0;
            for (const Json &json : listed) {
                auto key = VerifyingKey::read(json);
                if (key && read < max_issuer_keys)
                    keys.push_back(std::move(*key));
                ++read;
            }
            refusal = keys.empty() ? "unusable-issuer" : nullptr;
        } else {
            throw NoRequest();
        }
    }
};

} // namespace detail

// What a verified assertion says, as VerifiedAssertion. Throws Rejection.
inline Json verify(std::string_view bundle, const std::string &audience, std::uint64_t now, const std::set<std::string> &accepted,
                   const detail::Issuer &issuer) {
    using namespace detail;
    require(bundle.size() <= max_assertion, "malformed");
    const auto last = bundle.rfind('~');
    require(last != std::string_view::npos, "malformed");
    const std::string_view certificates = bundle.substr(0, last);
    const auto more = certificates.find('~');
    Signed certificate(certificates.substr(0, more));
    Signed assertion(bundle.substr(last + 1));

    Json &idp_claims = certificate.claims, &user_claims = assertion.claims;
    const auto certificate_times = Times::take_from(idp_claims);
    const auto assertion_times = Times::take_from(user_claims);
    const std::string name = take_text(idp_claims, "iss");
    const std::string named = take_text(user_claims, "aud");
    const Json key = take(idp_claims, "public-key");
    std::optional<VerifyingKey> user_key;
    try {
        user_key = VerifyingKey::read(key);
    } catch (const NoRequest &) {
        throw Rejection{"malformed"};
    }
    Json principal = take(idp_claims, "principal");
    require(principal.is_object(), "malformed");
    const std::string email = take_text(principal, "email");
    for (auto &[claim, value] : principal.items())
        if (!idp_claims.contains(claim))
            idp_claims[claim] = value;
    drop_reserved(idp_claims);
    drop_reserved(user_claims);

    require(named == audience, "audience-mismatch");
    require(more == std::string_view::npos, "unsupported-chain");
    assertion_times.check(now);
    require(is_email(email), "invalid-email");
    require(is_host(name), "untrusted-issuer");
    require(issuer.refusal == nullptr, issuer.refusal);
    certificate_times.check(now);
    certificate.check(issuer.keys, accepted);
    require(user_key.has_value(), "bad-signature");
    std::vector<VerifyingKey> user_keys;
    user_keys.push_back(std::move(*user_key));
    assertion.check(user_keys, accepted);
    return {{"email", email},           {"issuer", name},
            {"audience", named},        {"idp_claims", idp_claims},
            {"user_claims", user_claims}, {"expires_ms", assertion_times.expires}};
}

// Does a job of the service browserid-verify: VerifyRequest to VerifyReply.
inline std::string handle(std::string_view body) {
    const Json message = decode(body);
    const Structure request(message, {"assertion", "audience", "now_ms", "algorithms", "issuer"});
    static const std::set<std::string> known{"RS64", "RS128", "RS256", "DS128", "DS256"};
    std::set<std::string> accepted;
    const Json &algorithms = request.member("algorithms");
    if (!algorithms.is_array())
        throw NoRequest();
    for (const Json &algorithm : algorithms)
        if (known.count(*accepted.insert(Structure::text_of(algorithm)).first) == 0)
            throw NoRequest();
    const detail::Issuer issuer(request.member("issuer"));
    try {
        return encode({{"Ok", verify(request.text("assertion"), request.text("audience"), request.number("now_ms"), accepted, issuer)}});
    } catch (const Rejection &rejection) {
        return encode({{"Err", rejection.name}});
    }
}

} // namespace crypto::browserid
