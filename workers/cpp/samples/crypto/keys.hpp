// The public keys of BrowserID: RSA and DSA, of the sizes that it names.
#pragma once

#include <array>
#include <algorithm>

#include "message.hpp"
#include "openssl.hpp"

namespace crypto {

// A key whose numbers have been parsed and bounded.
class VerifyingKey {
  public:
    // Reads {"algorithm": "RS" | "DS", ...}. Throws NoRequest for what is no key at all; gives nothing for a key of numbers that cannot be.
    static std::optional<VerifyingKey> read(const Json &json) {
        if (!json.is_object())
            throw NoRequest();
        const auto text = [&](const char *name) -> const std::string & {
            const auto found = json.find(name);
            if (found == json.end())
                throw NoRequest();
            return Structure::text_of(*found);
        };
        const std::string &family = text("algorithm");
        if (family == "RS")
            return rsa(number(text("n"), 10), number(text("e"), 10));
        if (family == "DS") {
            const std::string &y = text("y"), &p = text("p"), &q = text("q"), &g = text("g");
            return dsa(number(y, 16), number(p, 16), number(q, 16), number(g, 16));
        }
        throw NoRequest();
    }

    const std::string &algorithm() const { return algorithm_; }

    bool verify(std::string_view message, std::string_view signature) const {
        if (order_.empty())
            return crypto::verify(key_.get(), EVP_sha256(), message, signature);
        // r and s, each as long as q. Old writers strip zero bytes from the front of the whole.
        if (signature.size() > 2 * order_.size())
            return false;
        const std::string padded = std::string(2 * order_.size() - signature.size(), '\0').append(signature);
        const std::string r = padded.substr(0, order_.size()), s = padded.substr(order_.size());
        const auto in_range = [&](const std::string &number) {
            return number.find_first_not_of('\0') != std::string::npos && number < order_;
        };
        // Zero has no inverse.
        if (!in_range(r) || !in_range(s))
            return false;
        const Owned<DSA_SIG, DSA_SIG_free> pair(DSA_SIG_new());
        DSA_SIG_set0(pair.get(), BN_bin2bn(raw(r), static_cast<int>(r.size()), nullptr),
                     BN_bin2bn(raw(s), static_cast<int>(s.size()), nullptr));
        unsigned char *der = nullptr;
        const int size = i2d_DSA_SIG(pair.get(), &der);
        if (size <= 0)
            return false;
        const std::string encoded(reinterpret_cast<char *>(der), static_cast<std::size_t>(size));
        OPENSSL_free(der);
        return crypto::verify(key_.get(), algorithm_ == "DS128" ? EVP_sha1() : EVP_sha256(), message, encoded);
    }

  private:
    VerifyingKey(std::string algorithm, PublicKey key, std::string order)
        : algorithm_(std::move(algorithm)), key_(std::move(key)), order_(std::move(order)) {}

    static std::optional<VerifyingKey> rsa(const Number &n, const Number &e) {
        if (!n || !e)
            return std::nullopt;
        // The product of two primes of half the size can be one bit short.
        const char *algorithm = nullptr;
        switch (BN_num_bits(n.get())) {
        case 511: case 512: algorithm = "RS64"; break;
        case 1023: case 1024: algorithm = "RS128"; break;
        case 2047: case 2048: algorithm = "RS256"; break;
        default: return std::nullopt;
        }
        const int bits = BN_num_bits(e.get());
        if (!BN_is_odd(n.get()) || !BN_is_odd(e.get()) || bits < 2 || bits > 33)
            return std::nullopt;
        return usable(algorithm, public_key("RSA", {{OSSL_PKEY_PARAM_RSA_N, n}, {OSSL_PKEY_PARAM_RSA_E, e}}), {});
    }

    static std::optional<VerifyingKey> dsa(const Number &y, const Number &p, const Number &q, const Number &g) {
        if (!y || !p || !q || !g)
            return std::nullopt;
        const std::pair<int, int> sizes{BN_num_bits(p.get()), BN_num_bits(q.get())};
        const bool is_short = sizes == std::pair{1024, 160};
        if (!is_short && sizes != std::pair{2048, 256})
            return std::nullopt;
        const auto in_group = [&](const Number &number) { return BN_num_bits(number.get()) > 1 && BN_cmp(number.get(), p.get()) < 0; };
        if (!BN_is_odd(p.get()) || !BN_is_odd(q.get()) || !in_group(g) || !in_group(y))
            return std::nullopt;
        std::string order(static_cast<std::size_t>(BN_num_bytes(q.get())), '\0');
        BN_bn2bin(q.get(), reinterpret_cast<unsigned char *>(order.data()));
        auto key = public_key("DSA", {{OSSL_PKEY_PARAM_FFC_P, p}, {OSSL_PKEY_PARAM_FFC_Q, q}, {OSSL_PKEY_PARAM_FFC_G, g},
                                      {OSSL_PKEY_PARAM_PUB_KEY, y}});
        return usable(is_short ? "DS128" : "DS256", std::move(key), std::move(order));
    }

    static std::optional<VerifyingKey> usable(const char *algorithm, PublicKey key, std::string order) {
        if (!key)
            return std::nullopt;
        return VerifyingKey(algorithm, std::move(key), std::move(order));
    }

    std::string algorithm_;
    PublicKey key_;
    // q, for DSA.
    std::string order_;
};

} // namespace crypto
