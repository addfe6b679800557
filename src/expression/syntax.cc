#include "expression/syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/characters.h"

namespace logflume {
namespace {

enum class Token { kEnd, kName, kInt, kDouble, kString, kOperator };

struct Lexeme {
  Token token = Token::kEnd;
  std::size_t at = 0;
  std::size_t bytes = 0;
  std::string text;     // name, operator, the value of a string
  bool quoted = false;  // a name in backticks: never a keyword
  std::int64_t integer = 0;
  double real = 0;
};

struct Failure {
  ExpressionError error;
};
[[noreturn]] void fail(std::size_t at, std::size_t bytes, std::string message, std::string hint = {}) {
  throw Failure{{at, std::max<std::size_t>(bytes, 1), std::move(message), std::move(hint)}};
}

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Lexeme next() {
    skip_blanks();
    Lexeme lexeme;
    lexeme.at = at_;
    if (at_ == text_.size()) return lexeme;
    const char c = text_[at_];
    const char after = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if ((c == 'r' || c == 'R') && (after == '"' || after == '\'')) {
      ++at_;
      read_string(lexeme, true);
    } else if (begins_name(c)) {
      read_name(lexeme);
    } else if (c == '`') {
      read_quoted_name(lexeme);
    } else if (is_digit(c) || (c == '.' && is_digit(after))) {
      read_number(lexeme);
    } else if (c == '"' || c == '\'') {
      read_string(lexeme, false);
    } else {
      read_operator(lexeme);
    }
    lexeme.bytes = at_ - lexeme.at;
    return lexeme;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size()) {
      if (std::string_view(" \t\r\n\f").find(text_[at_]) != std::string_view::npos) {
        ++at_;
      } else if (text_.substr(at_, 2) == "//") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        return;
      }
    }
  }

  void read_name(Lexeme& lexeme) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (begins_name(text_[at_]) || is_digit(text_[at_]))) ++at_;
    lexeme.token = Token::kName;
    lexeme.text = text_.substr(begin, at_ - begin);
  }

  void read_quoted_name(Lexeme& lexeme) {
    const std::size_t end = text_.find('`', at_ + 1);
    if (end == std::string_view::npos) fail(at_, text_.size() - at_, "a name in backticks that does not end");
    lexeme.token = Token::kName;
    lexeme.quoted = true;
    lexeme.text = text_.substr(at_ + 1, end - at_ - 1);
    if (lexeme.text.empty()) fail(at_, 2, "an empty name");
    at_ = end + 1;
  }

  void read_number(Lexeme& lexeme) {
    const std::size_t begin = at_;
    const bool hexadecimal = text_[at_] == '0' && at_ + 1 < text_.size() && (text_[at_ + 1] | 0x20) == 'x';
    if (hexadecimal) at_ += 2;
    bool real = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (is_digit(c) || (hexadecimal && ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))) continue;
      if (hexadecimal) break;
      if (c == '.' && !real && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])) {
        real = true;
      } else if ((c | 0x20) == 'e') {
        real = true;
        if (at_ + 1 < text_.size() && (text_[at_ + 1] == '+' || text_[at_ + 1] == '-')) ++at_;
      } else {
        break;
      }
    }
    const std::string_view digits = text_.substr(begin, at_ - begin);
    if (at_ < text_.size() && begins_name(text_[at_])) {
      if ((text_[at_] | 0x20) == 'u')
        fail(begin, at_ + 1 - begin, "unsigned numbers are not supported",
             "leave the u out: integers have 64 bits");
      fail(begin, at_ + 1 - begin, fmt::format("\"{}{}\" is no number", digits, text_[at_]));
    }
    lexeme.token = real ? Token::kDouble : Token::kInt;
    const char* const first = digits.data() + (hexadecimal ? 2 : 0);
    const char* const last = digits.data() + digits.size();
    std::from_chars_result result{};
    if (real) {
      result = std::from_chars(first, last, lexeme.real);
    } else {
      // One more than the largest is taken, for the smallest: the minus comes before it.
      std::uint64_t value = 0;
      result = std::from_chars(first, last, value, hexadecimal ? 16 : 10);
      if (value > std::uint64_t{1} << 63) result.ec = std::errc::result_out_of_range;
      lexeme.integer = static_cast<std::int64_t>(value);
    }
    if (result.ec == std::errc::result_out_of_range)
      fail(begin, at_ - begin, fmt::format("{} does not fit 64 bits", digits));
    if (result.ec != std::errc() || result.ptr != last)
      fail(begin, at_ - begin, fmt::format("\"{}\" is no number", digits));
  }

  void read_string(Lexeme& lexeme, bool raw) {
    const std::size_t begin = at_;
    const char quote = text_[at_];
    const std::string_view three = text_.substr(at_, 3);
    const bool triple = three.size() == 3 && three[1] == quote && three[2] == quote;
    at_ += triple ? 3 : 1;
    lexeme.token = Token::kString;
    for (;;) {
      if (at_ >= text_.size()) fail(begin, text_.size() - begin, "a string that does not end");
      const char c = text_[at_];
      if (c == quote && (!triple || text_.substr(at_, 3) == three)) {
        at_ += triple ? 3 : 1;
        return;
      }
      if (!triple && (c == '\n' || c == '\r'))
        fail(begin, at_ - begin, "a string that does not end in its line", "three quotes hold several lines");
      if (c == '\\' && !raw) {
        read_escape(lexeme.text);
      } else {
        lexeme.text += c;
        ++at_;
      }
    }
  }

  void read_escape(std::string& out) {
    const std::size_t begin = at_++;
    if (at_ >= text_.size()) fail(begin, 1, "a string that does not end");
    const char c = text_[at_++];
    static constexpr std::string_view kFrom = "abfnrtv\\?\"'`", kTo = "\a\b\f\n\r\t\v\\?\"'`";
    if (const std::size_t found = kFrom.find(c); found != std::string_view::npos) {
      out += kTo[found];
      return;
    }
    std::size_t digits = 0;
    int base = 16;
    if (c == 'x' || c == 'X') digits = 2;
    if (c == 'u') digits = 4;
    if (c == 'U') digits = 8;
    if (c >= '0' && c <= '3') {
      digits = 3;
      base = 8;
      --at_;
    }
    const std::string_view number = text_.substr(at_, digits);
    std::uint32_t point = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), point, base);
    if (digits == 0 || number.size() < digits || error != std::errc() || end != number.data() + digits ||
        point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
      fail(
          begin, at_ - begin, "an escape that is none",
          R"(there are \n \r \t \a \b \f \v \\ \" \' \` \? \xHH \uHHHH \UHHHHHHHH \OOO; r"..." takes all as it is)");
    }
    at_ += digits;
    char character[4];
    out.append(character, write_utf8(point, character));
  }

  void read_operator(Lexeme& lexeme) {
    static constexpr std::string_view kTwo[] = {"||", "&&", "==", "!=", "<=", ">="};
    static constexpr std::string_view kOne = "?:!<>+-*/%.,()[]{}";
    lexeme.token = Token::kOperator;
    for (const std::string_view two : kTwo) {
      if (text_.substr(at_, 2) == two) {
        lexeme.text = two;
        at_ += 2;
        return;
      }
    }
    const char c = text_[at_];
    if (kOne.find(c) == std::string_view::npos) {
      std::string hint;
      if (c == '=') hint = "== compares";
      if (c == '&' || c == '|') hint = fmt::format("{}{} is the operator", c, c);
      const bool printable = c >= ' ' && c <= '~';
      fail(at_, 1, printable ? fmt::format("unexpected \"{}\"", c) : "unexpected character", std::move(hint));
    }
    lexeme.text = std::string(1, c);
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// One function for each level of precedence.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) { advance(); }

  ExprTreePtr whole() {
    ExprTreePtr tree = expression();
    if (next_.token != Token::kEnd) fail_here("an operator or the end");
    return tree;
  }

 private:
  // Counts the depth of what calls it.
  class Deeper {
   public:
    explicit Deeper(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kExprDepthMax)
        fail(parser.next_.at, parser.next_.bytes, fmt::format("nested more than {} deep", kExprDepthMax));
    }
    ~Deeper() { --parser_.depth_; }

   private:
    Parser& parser_;
  };

  void advance() {
    end_ = next_.at + next_.bytes;
    next_ = lexer_.next();
  }
  bool at_operator(std::string_view text) const {
    return next_.token == Token::kOperator && next_.text == text;
  }
  bool at_keyword(std::string_view text) const {
    return next_.token == Token::kName && !next_.quoted && next_.text == text;
  }
  bool accept(std::string_view text) {
    if (!at_operator(text)) return false;
    advance();
    return true;
  }
  [[noreturn]] void fail_here(std::string_view expected) const {
    if (next_.token == Token::kEnd) fail(next_.at, 1, fmt::format("it ends where {} is expected", expected));
    fail(next_.at, next_.bytes, fmt::format("{} is expected here", expected));
  }
  void expect(std::string_view text) {
    if (!accept(text)) fail_here(fmt::format("\"{}\"", text));
  }

  ExprTreePtr make(ExprTree::Kind kind, std::size_t at) {
    if (++nodes_ > kExprNodesMax)
      fail(at, 1, fmt::format("more than {} operations and values", kExprNodesMax));
    auto tree = std::make_unique<ExprTree>();
    tree->kind = kind;
    tree->at = at;
    tree->bytes = end_ - at;
    return tree;
  }
  ExprTreePtr call(std::string name, std::vector<ExprTreePtr> arguments, std::size_t at,
                   ExprTree::Kind kind = ExprTree::Kind::kOperator) {
    ExprTreePtr tree = make(kind, at);
    tree->text = std::move(name);
    tree->children = std::move(arguments);
    return tree;
  }
  ExprTreePtr binary(std::string name, ExprTreePtr left, ExprTreePtr right) {
    const std::size_t at = left->at;
    std::vector<ExprTreePtr> arguments;
    arguments.push_back(std::move(left));
    arguments.push_back(std::move(right));
    return call(std::move(name), std::move(arguments), at);
  }

  ExprTreePtr expression() {
    const Deeper deeper(*this);
    ExprTreePtr condition = alternatives(0);
    if (!accept("?")) return condition;
    ExprTreePtr yes = alternatives(0);
    expect(":");
    ExprTreePtr no = expression();
    const std::size_t at = condition->at;
    std::vector<ExprTreePtr> arguments;
    arguments.push_back(std::move(condition));
    arguments.push_back(std::move(yes));
    arguments.push_back(std::move(no));
    return call("?:", std::move(arguments), at);
  }

  // || below && below comparisons below sums below products; each from left to right.
  ExprTreePtr alternatives(std::size_t level) {
    static const std::vector<std::vector<std::string_view>> kLevels = {
        {"||"}, {"&&"}, {"==", "!=", "<", "<=", ">", ">=", "in"}, {"+", "-"}, {"*", "/", "%"}};
    if (level == kLevels.size()) return unary();
    ExprTreePtr left = alternatives(level + 1);
    for (;;) {
      const auto found = std::ranges::find_if(kLevels[level], [&](std::string_view name) {
        return at_operator(name) || (name == "in" && at_keyword(name));
      });
      if (found == kLevels[level].end()) return left;
      advance();
      left = binary(std::string(*found), std::move(left), alternatives(level + 1));
    }
  }

  ExprTreePtr unary() {
    const Deeper deeper(*this);
    const std::size_t at = next_.at;
    const bool minus = at_operator("-");
    if (!minus && !at_operator("!")) return member();
    advance();
    if (minus && (next_.token == Token::kInt || next_.token == Token::kDouble) && next_.at == end_) {
      next_.integer = static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(next_.integer));
      next_.real = -next_.real;
      negative_ = true;
      return member();
    }
    std::vector<ExprTreePtr> arguments;
    arguments.push_back(unary());
    return call(minus ? "neg" : "!", std::move(arguments), at);
  }

  ExprTreePtr member() {
    ExprTreePtr tree = primary();
    for (;;) {
      const std::size_t at = tree->at;
      if (accept(".")) {
        if (next_.token != Token::kName) fail_here("a name");
        std::string name = next_.text;
        advance();
        if (accept("(")) {
          std::vector<ExprTreePtr> arguments;
          arguments.push_back(std::move(tree));
          read_list(")", arguments);
          tree = call(std::move(name), std::move(arguments), at, ExprTree::Kind::kCall);
          tree->method = true;
        } else {
          ExprTreePtr select = make(ExprTree::Kind::kSelect, at);
          select->text = std::move(name);
          select->children.push_back(std::move(tree));
          tree = std::move(select);
        }
      } else if (accept("[")) {
        ExprTreePtr index = expression();
        expect("]");
        tree = binary("[]", std::move(tree), std::move(index));
        tree->bytes = end_ - at;
      } else {
        return tree;
      }
    }
  }

  void read_list(std::string_view closing, std::vector<ExprTreePtr>& items) {
    if (accept(closing)) return;
    do {
      if (closing == "]" && at_operator("]")) break;  // a comma at the end
      items.push_back(expression());
    } while (accept(","));
    if (!accept(closing)) fail_here(fmt::format("\",\" or \"{}\"", closing));
  }

  ExprTreePtr primary() {
    const std::size_t at = next_.at;
    const bool negative = std::exchange(negative_, false);
    switch (next_.token) {
      case Token::kInt: {
        // The smallest has no positive that fits.
        if (!negative && next_.integer == INT64_MIN) fail(at, next_.bytes, "it does not fit 64 bits");
        return literal(ExprTree::Kind::kInt);
      }
      case Token::kDouble:
        return literal(ExprTree::Kind::kDouble);
      case Token::kString:
        return literal(ExprTree::Kind::kString);
      case Token::kName:
        return name();
      case Token::kEnd:
        fail_here("a value");
      case Token::kOperator:
        break;
    }
    if (accept("(")) {
      ExprTreePtr inner = expression();
      expect(")");
      return inner;
    }
    if (accept("[")) {
      std::vector<ExprTreePtr> items;
      read_list("]", items);
      ExprTreePtr list = make(ExprTree::Kind::kList, at);
      list->children = std::move(items);
      return list;
    }
    if (at_operator("{"))
      fail(at, 1, "maps are not supported", "a list, [..], or the ternary operator, or the transform lookup");
    fail_here("a value");
  }

  ExprTreePtr literal(ExprTree::Kind kind) {
    const std::size_t at = next_.at;
    Lexeme lexeme = next_;
    advance();
    ExprTreePtr tree = make(kind, at);
    tree->integer = lexeme.integer;
    tree->real = lexeme.real;
    tree->text = std::move(lexeme.text);
    return tree;
  }

  ExprTreePtr name() {
    const std::size_t at = next_.at;
    if (at_keyword("true") || at_keyword("false") || at_keyword("null")) {
      const bool is_null = next_.text == "null", is_true = next_.text == "true";
      advance();
      ExprTreePtr tree = make(is_null ? ExprTree::Kind::kNull : ExprTree::Kind::kBool, at);
      tree->integer = is_true ? 1 : 0;
      return tree;
    }
    if (at_keyword("in")) fail_here("a value");
    std::string text = next_.text;
    const bool may_call = !next_.quoted;
    advance();
    if (may_call && accept("(")) {
      std::vector<ExprTreePtr> arguments;
      read_list(")", arguments);
      return call(std::move(text), std::move(arguments), at, ExprTree::Kind::kCall);
    }
    ExprTreePtr tree = make(ExprTree::Kind::kName, at);
    tree->text = std::move(text);
    return tree;
  }

  Lexer lexer_;
  Lexeme next_;
  std::size_t end_ = 0;  // of what was read before next_
  std::size_t depth_ = 0;
  std::size_t nodes_ = 0;
  bool negative_ = false;  // a minus stands before the number that comes
};

}  // namespace

std::variant<ExprTreePtr, ExpressionError> parse_expression(std::string_view text) {
  if (text.size() > kExprBytesMax)
    return ExpressionError{0, 1, fmt::format("longer than {} bytes", kExprBytesMax), {}};
  try {
    return Parser(text).whole();
  } catch (Failure& failure) {
    return std::move(failure.error);
  }
}

std::string to_text(const ExprTree& tree) {
  const auto joined = [&](std::size_t from) {
    std::string out;
    for (std::size_t i = from; i < tree.children.size(); ++i) {
      out += (i > from ? ", " : "") + to_text(*tree.children[i]);
    }
    return out;
  };
  switch (tree.kind) {
    case ExprTree::Kind::kNull:
      return "null";
    case ExprTree::Kind::kBool:
      return tree.integer != 0 ? "true" : "false";
    case ExprTree::Kind::kInt:
      return std::to_string(tree.integer);
    case ExprTree::Kind::kDouble:
      return fmt::format("{}", tree.real);
    case ExprTree::Kind::kString:
      return fmt::format("\"{}\"", tree.text);
    case ExprTree::Kind::kName:
      return tree.text;
    case ExprTree::Kind::kSelect:
      return to_text(*tree.children[0]) + "." + tree.text;
    case ExprTree::Kind::kList:
      return "[" + joined(0) + "]";
    case ExprTree::Kind::kCall:
      if (tree.method) return to_text(*tree.children[0]) + "." + tree.text + "(" + joined(1) + ")";
      return tree.text + "(" + joined(0) + ")";
    case ExprTree::Kind::kOperator:
      break;
  }
  if (tree.text == "?:")
    return fmt::format("({} ? {} : {})", to_text(*tree.children[0]), to_text(*tree.children[1]),
                       to_text(*tree.children[2]));
  if (tree.text == "[]") return fmt::format("{}[{}]", to_text(*tree.children[0]), to_text(*tree.children[1]));
  if (tree.children.size() == 1)
    return fmt::format("({}{})", tree.text == "neg" ? "-" : tree.text, to_text(*tree.children[0]));
  return fmt::format("({} {} {})", to_text(*tree.children[0]), tree.text, to_text(*tree.children[1]));
}

}  // namespace logflume
