#include "generate/line_draft.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <utility>

namespace logflume {
namespace {

constexpr std::array<std::string_view, 48> kWords{
    "request",  "session", "timeout", "retry",   "payment", "order",   "cache", "miss",
    "upstream", "queue",   "worker",  "started", "stopped", "flushed", "bytes", "records",
    "user",     "account", "invoice", "shipped", "pending", "waiting", "lock",  "released",
    "commit",   "replica", "lag",     "batch",   "index",   "rebuilt", "token", "expired",
    "renewed",  "fetch",   "partial", "done",    "after",   "before",  "for",   "with",
    "from",     "to",      "node",    "shard",   "region",  "café",    "Größe", "checkpoint"};
constexpr std::array<std::string_view, 12> kPaths{
    "/",       "/api/v1/items", "/api/v1/orders", "/login",   "/static/app.js", "/static/site.css",
    "/search", "/api/v2/users", "/img/logo.svg",  "/healthz", "/cart",          "/checkout/confirm"};
constexpr std::array<std::string_view, 5> kAgents{
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1",
    "curl/8.8.0", "kube-probe/1.30"};
constexpr std::array<std::string_view, 4> kReferers{"-", "https://shop.example.com/",
                                                    "https://www.example.com/search?q=boots",
                                                    "https://shop.example.com/cart"};
constexpr std::array<std::string_view, 6> kServices{"checkout", "catalog",  "payments",
                                                    "gateway",  "accounts", "mailer"};
constexpr std::array<std::string_view, 8> kClasses{
    "com.example.shop.OrderService",      "com.example.shop.CartController",
    "com.example.payments.CardGateway",   "com.example.catalog.SearchIndex",
    "com.example.common.RetryPolicy",     "org.apache.http.impl.client.HttpClient",
    "org.hibernate.internal.SessionImpl", "java.util.concurrent.ThreadPoolExecutor"};
constexpr std::array<std::string_view, 6> kMethods{"submit",          "execute", "doFilter",
                                                   "lambda$handle$3", "run",     "invoke0"};
constexpr std::array<std::string_view, 4> kExceptions{
    "java.lang.IllegalStateException", "java.net.SocketTimeoutException",
    "org.springframework.dao.DataAccessResourceFailureException", "java.lang.NullPointerException"};
constexpr std::array<std::string_view, 5> kDaemons{"sshd", "cron", "kernel", "systemd", "postfix/smtpd"};

constexpr std::string_view kNginxTime = "01/Jan/1970:00:00:00 +0000";
constexpr std::string_view kIsoTime = "1970-01-01T00:00:00.000Z";
constexpr std::string_view kJavaTime = "1970-01-01 00:00:00,000";
constexpr std::string_view kSyslog5424Time = "1970-01-01T00:00:00.000000Z";
constexpr std::string_view kSyslog3164Time = "Jan  1 00:00:00";

template <std::size_t N>
std::string_view one_of(const std::array<std::string_view, N>& choices, std::mt19937_64& random) {
  return choices[random() % N];
}

void add_time(LineDraft& line, TimeStyle style, std::string_view blank) {
  line.time = style;
  line.time_at = line.text.size();
  line.text += blank;
}

void add_mark(LineDraft& line, const std::string& mark) {
  line.mark_at = line.text.size();
  line.text += mark;
}

// The part that may be cut or grows when lines have a given size.
void add_fill(LineDraft& line, std::string_view text) {
  line.text += text;
  line.fill_size = text.size();
  line.fill_end = line.text.size();
}

// A cut must not leave half a character.
std::size_t char_start(std::string_view text, std::size_t at, std::size_t lowest) {
  while (at > lowest && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
  return at;
}

}  // namespace

bool LineDraft::fit(std::size_t bytes, std::mt19937_64& random) {
  const auto shift = [this](std::size_t from, std::ptrdiff_t by) {
    const auto move = [&](std::size_t& at) {
      if (at >= from) at = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at) + by);
    };
    if (time != TimeStyle::kNone) move(time_at);
    move(mark_at);
  };
  if (text.size() > bytes) {
    const std::size_t fill_begin = fill_end - fill_size;
    const std::size_t wanted = text.size() - bytes;
    const std::size_t keep_to =
        wanted >= fill_size ? fill_begin : char_start(text, fill_end - wanted, fill_begin);
    const std::size_t cut = fill_end - keep_to;
    text.erase(keep_to, cut);
    shift(fill_end, -static_cast<std::ptrdiff_t>(cut));
    fill_end = keep_to;
    fill_size -= cut;
  }
  if (text.size() > bytes) return false;
  std::string padding;
  while (padding.size() < bytes - text.size()) {
    padding += ' ';
    padding += one_of(kWords, random);
  }
  padding.resize(char_start(padding + ' ', bytes - text.size(), 0));
  padding.resize(bytes - text.size(), '.');
  text.insert(fill_end, padding);
  shift(fill_end, static_cast<std::ptrdiff_t>(padding.size()));
  return true;
}

DraftWriter::DraftWriter(LineFormat format, std::string mark, bool compact, std::uint64_t seed)
    : format_(format), mark_(std::move(mark)), compact_(compact), random_(seed) {}

void DraftWriter::next_event(std::vector<LineDraft>& lines) {
  switch (format_) {
    case LineFormat::kNginx:
      return nginx(lines);
    case LineFormat::kJson:
      return json(lines);
    case LineFormat::kJava:
      return java(lines);
    case LineFormat::kSyslog5424:
      return syslog(lines, true);
    case LineFormat::kSyslog3164:
      return syslog(lines, false);
  }
}

std::string DraftWriter::sentence() {
  std::string text(one_of(kWords, random_));
  for (std::uint64_t words = 4 + below(12); words > 0; --words) {
    text += ' ';
    if (below(5) == 0) {
      text += std::to_string(below(100'000));
    } else {
      text += one_of(kWords, random_);
    }
  }
  return text;
}

std::string DraftWriter::hex(std::size_t digits) {
  std::string text;
  while (text.size() < digits) text += fmt::format("{:016x}", random_());
  text.resize(digits);
  return text;
}

void DraftWriter::nginx(std::vector<LineDraft>& lines) {
  LineDraft& line = lines.emplace_back();
  const std::uint64_t address = random_();
  line.text = fmt::format("{}.{}.{}.{} - - [", 10 + address % 180, address >> 8 & 0xFF, address >> 16 & 0xFF,
                          address >> 24 & 0xFF);
  add_time(line, TimeStyle::kNginx, kNginxTime);
  constexpr std::array<std::string_view, 4> methods{"GET", "GET", "GET", "POST"};
  constexpr std::array<std::string_view, 8> statuses{"200", "200", "200", "200", "304", "302", "404", "502"};
  line.text +=
      fmt::format("] \"{} {}?id=", one_of(methods, random_), compact_ ? "/" : one_of(kPaths, random_));
  add_mark(line, mark_);
  line.text += fmt::format(" HTTP/1.1\" {} {} \"{}\" \"", one_of(statuses, random_), below(200'000),
                           compact_ ? "-" : one_of(kReferers, random_));
  add_fill(line, one_of(kAgents, random_));
  line.text += '"';
}

void DraftWriter::json(std::vector<LineDraft>& lines) {
  constexpr std::array<std::string_view, 6> levels{"INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"};
  LineDraft& line = lines.emplace_back();
  line.text = R"({"timestamp":")";
  add_time(line, TimeStyle::kIso, kIsoTime);
  line.text +=
      fmt::format(R"(","level":"{}","service":"{}")", one_of(levels, random_), one_of(kServices, random_));
  if (!compact_) {
    line.text += fmt::format(R"(,"trace_id":"{}","user":{{"id":{},"plan":"pro"}},"duration_ms":{}.{})",
                             hex(32), below(1'000'000), below(2000), below(1000));
  }
  line.text += R"(,"message":")";
  add_fill(line, sentence());
  line.text += R"(","mark":")";
  add_mark(line, mark_);
  line.text += R"("})";
}

void DraftWriter::java(std::vector<LineDraft>& lines) {
  const bool failed = below(4) == 0;
  LineDraft& line = lines.emplace_back();
  add_time(line, TimeStyle::kJava, kJavaTime);
  line.text += fmt::format(" {:<5} [worker-{}] {} - ", failed ? "ERROR" : "INFO", below(64),
                           one_of(kClasses, random_));
  add_fill(line, sentence());
  line.text += " [";
  add_mark(line, mark_);
  line.text += ']';
  if (failed) stack_trace(lines);
}

void DraftWriter::stack_trace(std::vector<LineDraft>& lines) {
  const auto cause = [this, &lines](std::string_view prefix) {
    LineDraft& line = lines.emplace_back();
    line.text = fmt::format("{}{}: ", prefix, one_of(kExceptions, random_));
    add_fill(line, sentence());
    line.text += " [";
    add_mark(line, mark_);
    line.text += ']';
  };
  const auto frames = [this, &lines](std::uint64_t count) {
    for (; count > 0; --count) {
      const std::string_view type = one_of(kClasses, random_);
      LineDraft& line = lines.emplace_back();
      line.text = fmt::format("\tat {}.{}({}.java:{}) ~[", type, one_of(kMethods, random_),
                              type.substr(type.rfind('.') + 1), below(900) + 1);
      add_fill(line, "app-2.4.1.jar:");
      add_mark(line, mark_);
      line.text += ']';
    }
  };
  cause("");
  frames(4 + below(12));
  if (below(2) == 0) {
    cause("Caused by: ");
    frames(2 + below(4));
  }
}

void DraftWriter::syslog(std::vector<LineDraft>& lines, bool rfc5424) {
  LineDraft& line = lines.emplace_back();
  const std::string_view daemon = one_of(kDaemons, random_);
  line.text = fmt::format("<{}>", below(24) * 8 + below(8));
  if (rfc5424) {
    line.text += "1 ";
    add_time(line, TimeStyle::kSyslog5424, kSyslog5424Time);
    line.text += fmt::format(" host-{:02} {} {} ID{} [origin@32473 id=\"", below(40), daemon,
                             100 + below(30'000), below(100));
    add_mark(line, mark_);
    line.text += "\"] ";
    add_fill(line, sentence());
  } else {
    add_time(line, TimeStyle::kSyslog3164, kSyslog3164Time);
    line.text += fmt::format(" host-{:02} {}[{}]: ", below(40), daemon, 100 + below(30'000));
    add_fill(line, sentence());
    line.text += " id=";
    add_mark(line, mark_);
  }
}

}  // namespace logflume
