// OpenSSL 3 with owners: HMAC, HKDF, and the signatures of BrowserID.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/dsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>

namespace crypto {

template <auto release> struct Release {
    template <typename T> void operator()(T *owned) const { release(owned); }
};
template <typename T, auto release> using Owned = std::unique_ptr<T, Release<release>>;

using Number = Owned<BIGNUM, BN_free>;
using PublicKey = Owned<EVP_PKEY, EVP_PKEY_free>;

// Bytes that are wiped when they are dropped.
struct Secret {
    std::string bytes;
    explicit Secret(std::string bytes) : bytes(std::move(bytes)) {}
    Secret(Secret &&) = default;
    Secret(const Secret &) = delete;
    ~Secret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

inline const unsigned char *raw(std::string_view bytes) { return reinterpret_cast<const unsigned char *>(bytes.data()); }

inline std::string hmac_sha256(std::string_view key, std::string_view message) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(message), message.size(), out, &size))
        throw std::runtime_error("HMAC failed");
    return std::string(reinterpret_cast<char *>(out), size);
}

// HKDF with SHA-256. An absent salt is the same as 32 zero bytes. Nothing if it cannot give so many bytes.
inline std::optional<Secret> hkdf(std::string_view input, std::string_view salt, std::string_view info, std::size_t bytes) {
    if (bytes > 255 * 32)
        return std::nullopt;
    const Owned<EVP_KDF, EVP_KDF_free> algorithm(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const Owned<EVP_KDF_CTX, EVP_KDF_CTX_free> context(EVP_KDF_CTX_new(algorithm.get()));
    const auto octets = [](const char *name, std::string_view value) {
        return OSSL_PARAM_construct_octet_string(name, const_cast<char *>(value.data()), value.size());
    };
    static constexpr std::string_view zeros("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        octets(OSSL_KDF_PARAM_KEY, input),
        octets(OSSL_KDF_PARAM_SALT, salt.empty() ? zeros : salt),
        octets(OSSL_KDF_PARAM_INFO, info),
        OSSL_PARAM_construct_end(),
    };
    Secret out(std::string(bytes, '\0'));
    if (EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char *>(out.bytes.data()), bytes, parameters) != 1)
        throw std::runtime_error("HKDF failed");
    return out;
}

// Digits only, and not more than a number of 2048 bits has: OpenSSL's parsers would also take a sign.
inline Number number(const std::string &text, int radix) {
    const std::string_view digits = radix == 10 ? "0123456789" : "0123456789abcdefABCDEF";
    if (text.empty() || text.size() > 640 || text.find_first_not_of(digits) != std::string::npos)
        return nullptr;
    BIGNUM *parsed = nullptr;
    const int read = radix == 10 ? BN_dec2bn(&parsed, text.c_str()) : BN_hex2bn(&parsed, text.c_str());
    Number number(parsed);
    return read == static_cast<int>(text.size()) ? std::move(number) : nullptr;
}

// A key of these numbers, each with its name.
inline PublicKey public_key(const char *kind, std::initializer_list<std::pair<const char *, const Number &>> numbers) {
    const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder(OSSL_PARAM_BLD_new());
    for (const auto &[name, number] : numbers)
        OSSL_PARAM_BLD_push_BN(builder.get(), name, number.get());
    const Owned<OSSL_PARAM, OSSL_PARAM_free> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
    const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
    EVP_PKEY *key = nullptr;
    if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        ERR_clear_error();
    return PublicKey(key);
}

inline bool verify(EVP_PKEY *key, const EVP_MD *digest, std::string_view message, std::string_view signature) {
    const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
    const bool right = EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
                       EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message), message.size()) == 1;
    // What was wrong would otherwise be told to whoever asks next in this thread.
    ERR_clear_error();
    return right;
}

} // namespace crypto
