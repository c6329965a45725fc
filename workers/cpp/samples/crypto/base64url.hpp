// Base64 with the alphabet for URLs (RFC 4648, section 5).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace crypto::base64url {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// With padding, as tokenlib writes it.
inline std::string encode(std::string_view bytes) {
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const auto part = bytes.substr(at, 3);
        unsigned group = 0;
        for (std::size_t i = 0; i < 3; ++i)
            group = group << 8 | (i < part.size() ? static_cast<unsigned char>(part[i]) : 0u);
        for (std::size_t i = 0; i < 4; ++i)
            out.push_back(i <= part.size() ? alphabet[group >> (18 - 6 * i) & 0x3f] : '=');
    }
    return out;
}

// Without padding, as JWS has it, and in its only spelling: bits that say nothing are zero.
inline std::optional<std::string> decode(std::string_view text) {
    if (text.size() % 4 == 1)
        return std::nullopt;
    std::string out;
    unsigned group = 0, bits = 0;
    for (const char c : text) {
        const auto place = alphabet.find(c);
        if (place == std::string_view::npos)
            return std::nullopt;
        group = group << 6 | static_cast<unsigned>(place);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out.push_back(static_cast<char>(group >> bits & 0xff));
        }
    }
    if (group & ((1u << bits) - 1))
        return std::nullopt;
    return out;
}

} // namespace crypto::base64url
