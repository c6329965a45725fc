// Issues the tokens of Python's tokenlib: base64url(payload || HMAC-SHA256(payload)), each with a key of its own.
#pragma once

#include "base64url.hpp"
#include "browserid.hpp"
#include "message.hpp"
#include "openssl.hpp"

namespace crypto::token {

// Why a token was not issued: a name of crypto-jobs' IssueRefusal.
struct Refusal {
    const char *name;
};

namespace detail {

inline Secret derive(std::string_view input, std::string_view salt, std::string_view info) {
    auto key = hkdf(input, salt, info, 32);
    if (!key)
        throw std::runtime_error("HKDF failed");
    return std::move(*key);
}

inline std::string hex(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (const unsigned char byte : bytes) {
        out.push_back(digits[byte >> 4]);
        out.push_back(digits[byte & 0xf]);
    }
    return out;
}

// What a token is signed with: as it is, or derived for the node.
inline Secret secret(const Json &json) {
    const auto &[name, value] = variant(json);
    Secret found(std::string{});
    if (name == "fixed") {
        found.bytes = Structure::secret_of(value);
    } else if (name == "per_node") {
        const Structure node(value, {"master", "node"});
        const Secret master(node.secret("master"));
        const std::size_t bytes = master.bytes.size() / 2;
        const auto derived = bytes == 0 ? std::nullopt
                                        : hkdf(master.bytes, {}, "services.mozilla.com/mozsvc/v1/node_secret/" + node.text("node"), bytes);
        if (!derived)
            throw Refusal{"invalid-key"};
        found.bytes = hex(derived->bytes);
    } else {
        throw NoRequest();
    }
    if (found.bytes.empty())
        throw Refusal{"invalid-key"};
    return found;
}

// Hashes that tell users and devices apart in logs without naming them; nil without metrics.
struct Hashes {
    Json fxa_uid, device_id;

    explicit Hashes(const Json *json) {
        if (!json)
            return;
        const Structure metrics(*json, {"secret", "fxa_uid", "device_id"});
        const Secret key(metrics.secret("secret"));
        const auto digits = [&](const std::string &text) { return hex(hmac_sha256(key.bytes, text)).substr(0, 32); };
        const Json *device = metrics.optional("device_id");
        const std::string id = device ? Structure::text_of(*device) : std::string();
        const std::string user = digits(metrics.text("fxa_uid"));
        fxa_uid = user;
        device_id = digits(user + (id.empty() ? "none" : id));
    }
};

// What a token says, and the salt of its key.
struct Payload {
    std::string text, salt;

    Payload(const Json &json, const Hashes &hashes) {
        const auto &[name, value] = variant(json);
        if (name == "json") {
            text = Structure::text_of(value);
            const auto claims = browserid::detail::json_object(text);
            if (!claims || !claims->contains("salt") || !(*claims)["salt"].is_string())
                throw Refusal{"invalid-payload"};
            salt = (*claims)["salt"].get<std::string>();
        } else if (name == "sync") {
            const Structure claims(value, {"uid", "node", "expires", "fxa_uid", "fxa_kid", "tokenserver_origin", "salt"});
            salt = claims.text("salt");
            // In the order that storage nodes know.
            nlohmann::ordered_json out{{"uid", claims.number("uid")},
                                       {"node", claims.text("node")},
                                       {"expires", claims.number("expires")},
                                       {"fxa_uid", claims.text("fxa_uid")},
                                       {"fxa_kid", claims.text("fxa_kid")}};
            if (!hashes.fxa_uid.is_null()) {
                out["hashed_fxa_uid"] = hashes.fxa_uid.get<std::string>();
                out["hashed_device_id"] = hashes.device_id.get<std::string>();
            }
            if (const Json *origin = claims.optional("tokenserver_origin"))
                out["tokenserver_origin"] = Structure::text_of(*origin);
            out["salt"] = salt;
            text = out.dump();
        } else {
            throw NoRequest();
        }
    }
};

} // namespace detail

// Does a job of the service token-issue: IssueRequest to IssueReply.
inline std::string handle(std::string_view body) {
    const Json message = decode(body);
    const Structure request(message, {"format", "metrics"});
    const auto &[format, value] = variant(request.member("format"));
    if (format != "tokenlib")
        throw NoRequest();
    const Structure tokenlib(value, {"secret", "payload"});
    const detail::Hashes hashes(request.optional("metrics"));
    try {
        const Secret secret = detail::secret(tokenlib.member("secret"));
        const detail::Payload payload(tokenlib.member("payload"), hashes);
        const Secret signing = detail::derive(secret.bytes, {}, "services.mozilla.com/tokenlib/v1/signing");
        const std::string token = base64url::encode(payload.text + hmac_sha256(signing.bytes, payload.text));
        const Secret key = detail::derive(secret.bytes, payload.salt, "services.mozilla.com/tokenlib/v1/derive/" + token);
        return encode({{"Ok",
                        {{"token", token},
                         {"key", base64url::encode(key.bytes)},
                         {"hashed_fxa_uid", hashes.fxa_uid},
                         {"hashed_device_id", hashes.device_id}}}});
    } catch (const Refusal &refusal) {
        return encode({{"Err", refusal.name}});
    }
}

} // namespace crypto::token
