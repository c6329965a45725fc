// The JSON of the control commands: as much of RFC 8259 as protocol.md uses, strict and bounded.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire.hpp"

namespace powerhose::json {

struct Value {
    enum class Kind { Null, Bool, Number, String, Array, Object };
    Kind kind = Kind::Null;
    // A string's content, or a number as it is written.
    std::string text;
    bool truth = false;
    std::vector<Value> items;
    std::vector<std::pair<std::string, Value>> members;

    // The member of this name, or nullptr. Throws wire::Error if it occurs twice.
    const Value *find(std::string_view name) const {
        const Value *found = nullptr;
        for (const auto &[key, value] : members) {
            if (key != name)
                continue;
            if (found)
                throw wire::Error("field", "the member " + key + " occurs twice");
            found = &value;
        }
        return found;
    }

    // A whole number from 0. Throws wire::Error for anything else: a sign, a fraction, an exponent, too many digits.
    std::uint64_t integer() const {
        std::uint64_t value = 0;
        const char *end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (kind != Kind::Number || error != std::errc() || stop != end)
            throw wire::Error("field", "a whole number is missing");
        return value;
    }
};

namespace detail {

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Value document() {
        Value value = parse(0);
        space();
        if (at_ != text_.size())
            fail("something follows the value");
        return value;
    }

  private:
    static constexpr int max_depth = 100;
    std::string_view text_;
    std::size_t at_ = 0;

    [[noreturn]] static void fail(const char *why) { throw wire::Error("field", std::string("no JSON: ") + why); }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
    }
    void expect(char wanted) {
        if (at_ >= text_.size() || text_[at_] != wanted)
            fail("a sign is missing");
        ++at_;
    }
    bool word(std::string_view word) {
        if (text_.substr(at_, word.size()) != word)
            return false;
        at_ += word.size();
        return true;
    }

    Value parse(int depth) {
        if (depth > max_depth)
            fail("nested too deep");
        space();
        Value value;
        if (peek() == '{') {
            value.kind = Value::Kind::Object;
            list('{', '}', [&] {
                space();
                std::string name = string();
                space();
                expect(':');
                value.members.emplace_back(std::move(name), parse(depth + 1));
            });
        } else if (peek() == '[') {
            value.kind = Value::Kind::Array;
            list('[', ']', [&] { value.items.push_back(parse(depth + 1)); });
        } else if (peek() == '"') {
            value.kind = Value::Kind::String;
            value.text = string();
        } else if (word("true")) {
            value.kind = Value::Kind::Bool;
            value.truth = true;
        } else if (word("false")) {
            value.kind = Value::Kind::Bool;
        } else if (!word("null")) {
            value.kind = Value::Kind::Number;
            value.text = number();
        }
        return value;
    }

    template <typename Item> void list(char open, char close, Item item) {
        expect(open);
        space();
        if (peek() == close) {
            ++at_;
            return;
        }
        for (;;) {
            item();
            space();
            if (peek() != ',')
                break;
            ++at_;
        }
        expect(close);
    }

    bool digits() {
        const std::size_t from = at_;
        while (peek() >= '0' && peek() <= '9')
            ++at_;
        return at_ > from;
    }

    std::string number() {
        const std::size_t from = at_;
        if (peek() == '-')
            ++at_;
        if (peek() == '0')
            ++at_;
        else if (!digits())
            fail("no value");
        if (peek() == '.') {
            ++at_;
            if (!digits())
                fail("a fraction without digits");
        }
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            if (peek() == '+' || peek() == '-')
                ++at_;
            if (!digits())
                fail("an exponent without digits");
        }
        return std::string(text_.substr(from, at_ - from));
    }

    unsigned hex4() {
        unsigned value = 0;
        if (at_ + 4 > text_.size())
            fail("an escape without digits");
        const char *from = text_.data() + at_;
        if (std::from_chars(from, from + 4, value, 16).ptr != from + 4)
            fail("an escape without digits");
        at_ += 4;
        return value;
    }

    static void utf8(std::string &out, unsigned c) {
        if (c < 0x80) {
            out.push_back(static_cast<char>(c));
            return;
        }
        const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        const unsigned lead[] = {0, 0xc0, 0xe0, 0xf0};
        out.push_back(static_cast<char>(lead[more] | c >> (6 * more)));
        for (int i = more - 1; i >= 0; --i)
            out.push_back(static_cast<char>(0x80 | ((c >> (6 * i)) & 0x3f)));
    }

    // Takes one character of more than one byte; throws if it is no UTF-8.
    void wide(std::string &out) {
        const auto lead = static_cast<unsigned char>(text_[at_]);
        const int more = lead >= 0xf0 && lead <= 0xf4 ? 3 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xc2 && lead < 0xe0 ? 1 : 0;
        if (more == 0 || at_ + static_cast<std::size_t>(more) >= text_.size())
            fail("not UTF-8");
        unsigned c = lead & (0x3f >> more);
        for (int i = 1; i <= more; ++i) {
            const auto next = static_cast<unsigned char>(text_[at_ + static_cast<std::size_t>(i)]);
            if ((next & 0xc0) != 0x80)
                fail("not UTF-8");
            c = c << 6 | (next & 0x3f);
        }
        const unsigned least[] = {0, 0x80, 0x800, 0x10000};
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            fail("not UTF-8");
        out.append(text_.substr(at_, static_cast<std::size_t>(more) + 1));
        at_ += static_cast<std::size_t>(more) + 1;
    }

    std::string string() {
        expect('"');
        std::string out;
        for (;;) {
            if (at_ >= text_.size())
                fail("a string without an end");
            const char c = text_[at_];
            if (c == '"') {
                ++at_;
                return out;
            }
            if (static_cast<unsigned char>(c) < 0x20)
                fail("a control character in a string");
            if (static_cast<unsigned char>(c) >= 0x80) {
                wide(out);
            } else if (c == '\\') {
                ++at_;
                escape(out);
            } else {
                out.push_back(c);
                ++at_;
            }
        }
    }

    void escape(std::string &out) {
        static constexpr std::string_view names = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
        const char c = peek();
        ++at_;
        if (const auto place = names.find(c); c != '\0' && place != std::string_view::npos) {
            out.push_back(meant[place]);
            return;
        }
        if (c != 'u')
            fail("no such escape");
        unsigned code = hex4();
        if (code >= 0xd800 && code < 0xdc00) {
            if (!word("\\u"))
                fail("half a surrogate pair");
            const unsigned low = hex4();
            if (low < 0xdc00 || low >= 0xe000)
                fail("half a surrogate pair");
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        } else if (code >= 0xdc00 && code < 0xe000) {
            fail("half a surrogate pair");
        }
        utf8(out, code);
    }
};

} // namespace detail

// Throws wire::Error for what is no JSON.
inline Value parse(std::string_view text) { return detail::Parser(text).document(); }

// A string with its quotes.
inline std::string quote(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += "\\u00";
            out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
            out.push_back(digits[c & 0xf]);
        } else {
            out.push_back(c);
        }
    }
    return out + '"';
}

} // namespace powerhose::json
