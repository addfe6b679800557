// What each detector finds, and what it must not. Every text is looked at as it is, behind other text so that
// it lies across each place of the prefilter's blocks, and by the model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "redact/checks.h"
#include "redact/model_for_test.h"

namespace logflume::redact {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Finding> find(std::string_view text, unsigned detectors, bool lines = false) {
  std::vector<Finding> found;
  find_all(text, lines, detectors, found);
  settle(found);
  return found;
}

std::vector<std::string> texts(std::string_view text, const std::vector<Finding>& found) {
  std::vector<std::string> parts;
  parts.reserve(found.size());
  for (const Finding& one : found) parts.emplace_back(text.substr(one.begin, one.end - one.begin));
  return parts;
}

constexpr unsigned kAll = (1U << kDetectors) - 1;

void expect_as_model(std::string_view text, bool lines) {
  static Model model;
  const std::vector<Finding> expected = model.find(text, lines);
  for (const PrefilterKernel& kernel : prefilter_kernels()) {
    if (!kernel.supported) continue;
    std::vector<Finding> found;
    find_all(text, lines, kAll, found, kernel);
    settle(found);
    ASSERT_EQ(found.size(), expected.size()) << kernel.name << ": " << text;
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].begin, expected[i].begin) << kernel.name << ": " << text;
      ASSERT_EQ(found[i].end, expected[i].end) << kernel.name << ": " << text;
      ASSERT_EQ(found[i].detector, expected[i].detector) << kernel.name << ": " << text;
    }
  }
}

std::vector<std::string> found(Detector detector, const std::string& text) {
  std::vector<std::string> parts = texts(text, find(text, detector_bit(detector)));
  for (std::size_t shift = 1; shift < 140; shift += shift < 66 ? 1 : 13) {
    const std::string shifted = std::string(shift, ' ') + text;
    EXPECT_EQ(texts(shifted, find(shifted, detector_bit(detector))), parts) << shift << ": " << text;
  }
  expect_as_model(text, false);
  return parts;
}

TEST(CreditCard, FindsCardsOfAllIssuers) {
  for (const char* card : {"4111111111111111",     // Visa
                           "4222222222222",        // Visa, 13 digits
                           "4000000000000000006",  // Visa, 19 digits
                           "5555555555554444",     // Mastercard
                           "2223003122003222",     // Mastercard
                           "378282246310005",      // American Express
                           "30569309025904",       // Diners Club
                           "6011111111111117",     // Discover
                           "3530111333300000",     // JCB
                           "6200000000000005",     // UnionPay
                           "6759649826438453",     // Maestro
                           "2200000000000004",     // Mir
                           "4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111",
                           "3782 822463 10005", "3056-930902-5904", "4000 0000 0000 0000 006"}) {
    EXPECT_THAT(found(Detector::kCreditCard, card), ElementsAre(card));
    EXPECT_THAT(found(Detector::kCreditCard, std::string("card=").append(card).append(", ok")),
                ElementsAre(card));
    EXPECT_THAT(found(Detector::kCreditCard, std::string("\"").append(card).append("\"}")),
                ElementsAre(card));
  }
}

TEST(CreditCard, FindsThemBesideOtherNumbers) {
  EXPECT_THAT(found(Detector::kCreditCard, "pan 4111 1111 1111 1111 123 12/27"),
              ElementsAre("4111 1111 1111 1111"));
  EXPECT_THAT(found(Detector::kCreditCard, "0000 4111 1111 1111 1111 2222"),
              ElementsAre("4111 1111 1111 1111"));
  EXPECT_THAT(found(Detector::kCreditCard, "from card-4111111111111111."), ElementsAre("4111111111111111"));
  EXPECT_THAT(found(Detector::kCreditCard, "4111111111111111|5555555555554444"),
              ElementsAre("4111111111111111", "5555555555554444"));
}

TEST(CreditCard, LeavesOtherNumbers) {
  for (const char* text : {"4111111111111112",  // Luhn
                           "4111 1111 1111 1112",
                           "1111111111111117",      // no issuer
                           "411111111111111",       // 15 digits are no Visa
                           "41111111111111111111",  // 20 digits
                           "1767323045678",
                           "1767323045678901234",  // times
                           "2026-11-23 07:36:54.123 4111",
                           "2026-11-23T07:36:54.123456789Z",
                           "550e8400-e29b-41d4-a716-446655440000",  // UUID
                           "12345678-4111-1111-1111-111111111111",  // one of digits
                           "0.4111111111111111",
                           "4111111111111111.5",  // fractions
                           "a4111111111111111",
                           "4111111111111111b",
                           "4111-1111 1111-1111",
                           "4111  1111  1111  1111",
                           "4111-1111-1111-1111-22",
                           "17-4111111111111111",
                           "4111_1111_1111_1111"}) {
    EXPECT_THAT(found(Detector::kCreditCard, text), IsEmpty()) << text;
  }
}

TEST(Email, FindsAddresses) {
  for (const char* address :
       {"ann@example.com", "ann.o-neil+news@mail.example.co.uk", "a_b@x-y.io", "ANN@EXAMPLE.COM", "1@2.de",
        "j\u00fcrgen@m\u00fcller.de", "\u0438\u0432\u0430\u043d@\u043f\u043e\u0447\u0442\u0430.\u0440\u0444",
        "a@b.xn--p1ai", "john%40example.com", "john%2Bnews%40example.com"}) {
    EXPECT_THAT(found(Detector::kEmail, address), ElementsAre(address));
    EXPECT_THAT(found(Detector::kEmail, std::string("to=<").append(address).append(">, sent.")),
                ElementsAre(address));
    EXPECT_THAT(found(Detector::kEmail, std::string("to: ").append(address).append(".")),
                ElementsAre(address));
    EXPECT_THAT(found(Detector::kEmail, std::string("/u?email=").append(address).append("&x=1")),
                ElementsAre(address));
  }
  EXPECT_THAT(found(Detector::kEmail, "a@b.com,c@d.org;e@f.net"),
              ElementsAre("a@b.com", "c@d.org", "e@f.net"));
  EXPECT_THAT(found(Detector::kEmail, "a@b.com@c.org"), ElementsAre("a@b.com"));
  EXPECT_THAT(found(Detector::kEmail, "a@b.com_x@c.org"), ElementsAre("a@b.com", "_x@c.org"));
  EXPECT_THAT(found(Detector::kEmail, "bob@example.com-old"), ElementsAre("bob@example.com"));
  EXPECT_THAT(found(Detector::kEmail, "\u8bf7ann@example.com\u3002"), ElementsAre("ann@example.com"));
}

TEST(Email, LeavesWhatIsNone) {
  for (const char* text :
       {"user@host", "@example.com", "a@", "a@.com", "a@b..com", "a@b.c", "root@10.0.0.1", "icon@2x.png",
        "user@1000.service", "getty@tty1.service", "lodash@4.17.21", "lodash@4.17.21.tgz", "a @b.com",
        "golang.org/x/net@v0.17.0", "a@b.c0m", "ann@example", "%40example.com", "a%40b", "a%40\u00e9b.com"}) {
    EXPECT_THAT(found(Detector::kEmail, text), IsEmpty()) << text;
  }
}

TEST(Ipv4, FindsAddresses) {
  for (const char* address : {"10.0.0.1", "255.255.255.255", "192.168.1.100", "0.0.0.0", "8.8.8.8"}) {
    EXPECT_THAT(found(Detector::kIpv4, address), ElementsAre(address));
    EXPECT_THAT(found(Detector::kIpv4, std::string("from ").append(address).append(":443, ")),
                ElementsAre(address));
    EXPECT_THAT(found(Detector::kIpv4, std::string("http://").append(address).append("/x")),
                ElementsAre(address));
    EXPECT_THAT(found(Detector::kIpv4, std::string("(").append(address).append(").")), ElementsAre(address));
    EXPECT_THAT(found(Detector::kIpv4, std::string("ip_").append(address).append("/24")),
                ElementsAre(address));
  }
  EXPECT_THAT(found(Detector::kIpv4, "10.0.0.1,10.0.0.2 10.0.0.3-10.0.0.4"),
              ElementsAre("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"));
  EXPECT_THAT(found(Detector::kIpv4, "localhost/127.0.0.1:9092"), ElementsAre("127.0.0.1"));
  EXPECT_THAT(found(Detector::kIpv4, "::ffff:192.0.2.1"), ElementsAre("192.0.2.1"));
}

TEST(Ipv4, LeavesOtherNumbers) {
  for (const char* text :
       {"1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.256", "1.2.3.1000", "01.2.3.4", "1.02.3.4", "v1.2.3.4",
        "1.2.3.4a", "1..2.3.4", "1.3.6.1.4.1.311", "Chrome/120.0.0.0 Safari/537.36", "07:36:54.123.456.789",
        "1234.1.2.3", "12.345.67.1234", "1.2.3.", "x1.2.3.4"}) {
    EXPECT_THAT(found(Detector::kIpv4, text), IsEmpty()) << text;
  }
}

TEST(Ipv6, FindsAddresses) {
  for (const char* address :
       {"2001:db8::1", "2001:DB8:0:0:8:800:200C:417A", "::1", "fe80::1ff:fe23:4567:890a",
        "1::", "::ffff:192.0.2.1", "64:ff9b::192.0.2.33", "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:192.0.2.1", "2001:db8:85a3::8a2e:370:7334"}) {
    EXPECT_THAT(found(Detector::kIpv6, address), ElementsAre(address));
    EXPECT_THAT(found(Detector::kIpv6, std::string("from ").append(address).append(" port 22")),
                ElementsAre(address));
    EXPECT_THAT(found(Detector::kIpv6, std::string("[").append(address).append("]:443")),
                ElementsAre(address));
    EXPECT_THAT(found(Detector::kIpv6, std::string("(").append(address).append(").")), ElementsAre(address));
    EXPECT_THAT(found(Detector::kIpv6, std::string(address).append("/64")), ElementsAre(address));
  }
  EXPECT_THAT(found(Detector::kIpv6, "fe80::1%eth0: up"), ElementsAre("fe80::1"));
  EXPECT_THAT(found(Detector::kIpv6, "bad fe80::1: down"), ElementsAre("fe80::1"));
  EXPECT_THAT(found(Detector::kIpv6, "node:fe80::1"), ElementsAre("fe80::1"));
  EXPECT_THAT(found(Detector::kIpv6, R"({"ip":fe80::1})"), ElementsAre("fe80::1"));
  EXPECT_THAT(found(Detector::kIpv6, "::ffff:192.0.2.1:8080"), ElementsAre("::ffff:192.0.2.1"));
}

TEST(Ipv6, LeavesTimesNamesAndHardware) {
  for (const char* text : {"12:34:56",
                           "07:36:54.123",
                           "10/Oct/2000:13:55:36",
                           "00:1b:44:11:3a:b7",
                           "std::string",
                           "Foo::Bar::baz",
                           "a::b",
                           "dead::beef",
                           "::",
                           ":::",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1::2::3",
                           "1:2:3:4:5:6:7::8",
                           "1:2:3:4:5:6::1.2.3.4",
                           "12345::1",
                           "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55",
                           "x1::1",
                           "fe80::1x",
                           "std::a1",
                           "ratio 1:2:3",
                           "1:2:3:4:5",
                           "2026-01-02T03:04:05+01:00",
                           "::1::"}) {
    EXPECT_THAT(found(Detector::kIpv6, text), IsEmpty()) << text;
  }
}

TEST(Token, FindsThoseThatSayWhatTheyAre) {
  const std::string alnum = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3Ab4Cd5Ef6Gh7Ij8Kl9";
  const std::string jwt =
      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
  for (const std::string& token :
       {jwt, "ghp_" + alnum.substr(0, 36), "gho_" + alnum.substr(0, 36), "github_pat_" + alnum.substr(0, 40),
        "glpat-" + alnum.substr(0, 20), "xoxb-123456789012-" + alnum.substr(0, 24),
        "xapp-1-" + alnum.substr(0, 24), "IQoJb3JpZ2luX2Vj" + alnum + alnum, "FwoGZXIvYXdz" + alnum + alnum,
        "sk_live_" + alnum.substr(0, 24), "rk_test_" + alnum.substr(0, 24), "sk-proj-" + alnum,
        "AIza" + alnum.substr(0, 35), "ya29." + alnum.substr(0, 30),
        ("SG." + alnum.substr(0, 22)).append(".").append(alnum, 0, 43), "npm_" + alnum.substr(0, 36),
        "pypi-" + alnum, "hf_" + alnum.substr(0, 34)}) {
    EXPECT_THAT(found(Detector::kToken, token), ElementsAre(token));
    EXPECT_THAT(found(Detector::kToken, "with " + token + " there"), ElementsAre(token));
    EXPECT_THAT(found(Detector::kToken, "/cb?t=" + token + "&x"), ElementsAre(token));
    EXPECT_THAT(found(Detector::kToken, "{\"t\":\"" + token + "\"}"), ElementsAre(token));
    EXPECT_THAT(found(Detector::kToken, "x" + token), IsEmpty());
  }
  EXPECT_THAT(found(Detector::kToken, "jwt " + jwt + "."), ElementsAre(jwt));
  EXPECT_THAT(found(Detector::kToken, "Authorization: Bearer abc123def456"), ElementsAre("abc123def456"));
  EXPECT_THAT(found(Detector::kToken, "authorization: bearer abcdefghijklmnopqrstuvwxyz"),
              ElementsAre("abcdefghijklmnopqrstuvwxyz"));
}

TEST(Token, LeavesWhatLooksLikeOne) {
  for (const char* text :
       {"eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0", "eyJ.a.b", "ghp_short",
        "bearer authentication failed", "Bearer realm=\"example\"", "bearertoken abcdefgh1234", "disk-0",
        "task-0123456789012345678901234567890", "sk-learn-and-some-other-words-of-it", "self_npm_x", "AIza",
        "SG.1", "glpat-", "4bf92f3577b34da6a3ce929d0e0e4736", "550e8400-e29b-41d4-a716-446655440000"}) {
    EXPECT_THAT(found(Detector::kToken, text), IsEmpty()) << text;
  }
}

TEST(Key, FindsValuesOfNames) {
  // The value stands between < and >.
  for (std::string text : {R"(password=<hunter2>)",
                           R"(Password: <hunter2>)",
                           R"(db_password = <hunter2>, next)",
                           R"(PASSWD=<a!b#c>;x)",
                           R"("password":"<a b \" c>")",
                           R"('password' => '<x>')",
                           R"(?password=<x%20y>&z)",
                           R"({password: <x>})",
                           R"(\"password\":\"<a>\",\"b\":1)",
                           R"(x = "{\"pwd\": \"<a\\\" b>\", \"c\": 1}")",
                           R"("pwd":"<a\\>" b")",
                           R"(passphrase='<two words>')",
                           R"(client_secret=<abc>)",
                           R"(secrets: <x>)",
                           R"(credentials=<u:p>)",
                           R"(dbPwd=<x>)",
                           R"(pwd=<x>)",
                           R"($c['password'] = '<x>')",
                           R"(api_key=<x>)",
                           R"(x-api-key: <abc>)",
                           R"(AccountKey=<abc==>;)",
                           R"(aws_secret_access_key = <wJalr/bPx>)",
                           R"(token=<abcdef123>)",
                           R"(csrf_token: "<abcdefghijklmnopqrst>")",
                           R"(key=<abcdefgh12345678>)",
                           R"(Authorization: Basic <dXNlcjpwYXNz>)",
                           R"("authorization":"Basic <dXNlcjpwYXNz>")",
                           R"(Authorization: ApiKey <abcdef>)",
                           R"(authorization=<abcdef123>)",
                           R"(postgres://user:<s3cret>@db:5432/x)",
                           R"(https://user:<p:q>@host)",
                           R"(password="<never closed>)",
                           R"(password=<a\b>)",
                           R"({"m":"password=<a>\"})"}) {
    const std::size_t begin = text.find('<'), end = text.rfind('>');
    const std::string value = text.substr(begin + 1, end - begin - 1);
    text.erase(end, 1).erase(begin, 1);
    EXPECT_THAT(found(Detector::kKey, text), ElementsAre(value)) << text;
  }
  EXPECT_THAT(found(Detector::kKey, "<password>two words</password>"), ElementsAre("two words"));
}

TEST(Key, FindsKeysThatSayWhatTheyAre) {
  EXPECT_THAT(found(Detector::kKey, "id AKIAIOSFODNN7EXAMPLE used"), ElementsAre("AKIAIOSFODNN7EXAMPLE"));
  const std::string block = "-----BEGIN RSA PRIVATE KEY-----\\nMIIEow\\n-----END RSA PRIVATE KEY-----";
  EXPECT_THAT(found(Detector::kKey, "pem: " + block + " end"), ElementsAre(block));
  EXPECT_THAT(found(Detector::kKey, block + "-----BEGIN PRIVATE KEY-----"),
              ElementsAre(block, "-----BEGIN PRIVATE KEY-----"));
  EXPECT_THAT(found(Detector::kKey, block + block.substr(5)), ElementsAre(block));
  EXPECT_THAT(found(Detector::kKey, "-----BEGIN PRIVATE KEY-----"),
              ElementsAre("-----BEGIN PRIVATE KEY-----"));
  EXPECT_THAT(found(Detector::kKey, "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n\ny"),
              ElementsAre("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n\ny"));
}

TEST(Key, LeavesOtherValues) {
  for (const char* text : {"Failed password for root from 10.0.0.1",
                           "password:",
                           "password=",
                           "password=\"\"",
                           "password=****",
                           "password=[key]",
                           "password=\"[redacted]\"",
                           "password=null",
                           "password=${DB_PASSWORD}",
                           "PWD=/home/ann",
                           "pwd=~/x",
                           "Password::class",
                           "unexpected token: }",
                           "token=abc",
                           "Unexpected token '<', \"<!DOCTYPE\"",
                           "key=user:17",
                           "cache_key=abcdefgh12345678",
                           "primary_key: 17",
                           "monkey=abcdefgh12345678",
                           "max_tokens=100",
                           "keyboard: 12345678abcdefgh",
                           "AKIAIOSFODNN7EXAMPL",
                           "AKIAIOSFODNN7EXAMPLEX",
                           "AKIAiosfodnn7example",
                           "-----BEGIN CERTIFICATE-----\nMIIB",
                           "-----BEGIN PUBLIC KEY-----",
                           "http://host:80/x@y",
                           "http://user@host/",
                           "authorization: required by policy",
                           "authorization failed because",
                           "password>5"}) {
    EXPECT_THAT(found(Detector::kKey, text), IsEmpty()) << text;
  }
}

TEST(Detectors, LinesEndPrivateKeys) {
  const std::string text = "-----BEGIN PRIVATE KEY-----\nMIIEow==\n-----END PRIVATE KEY-----\nnext";
  EXPECT_THAT(texts(text, find(text, kAll, true)), ElementsAre("-----BEGIN PRIVATE KEY-----"));
  EXPECT_THAT(texts(text, find(text, kAll)), ElementsAre(text.substr(0, text.size() - 5)));
}

// Pieces that detectors know, a few of them at a time, in random order: so that what belongs together meets.
TEST(Detectors, AgreeWithTheModel) {
  static constexpr std::string_view kPieces[] = {"4111",
                                                 "1111",
                                                 "4111111111111111",
                                                 "378282246310005",
                                                 " ",
                                                 "-",
                                                 ".",
                                                 ":",
                                                 "::",
                                                 "@",
                                                 "%40",
                                                 "%2B",
                                                 "a",
                                                 "bc",
                                                 "example.com",
                                                 "10.0.0.1",
                                                 "1.2.3.4",
                                                 "fe80",
                                                 "1",
                                                 "12:34:56",
                                                 "password",
                                                 "secret",
                                                 "token",
                                                 "key",
                                                 "api_",
                                                 "pwd",
                                                 "P",
                                                 "authorization",
                                                 "Bearer ",
                                                 "Basic ",
                                                 "=",
                                                 ": ",
                                                 "\"",
                                                 "'",
                                                 "\\",
                                                 "\\\"",
                                                 "]",
                                                 ">",
                                                 "</",
                                                 "\n",
                                                 "eyJhbGciOiJI",
                                                 "ghp_",
                                                 "AKIAIOSFODNN7EXAMPLE",
                                                 "sk-",
                                                 "0123456789abcdefghij",
                                                 "-----BEGIN ",
                                                 "PRIVATE KEY",
                                                 "-----",
                                                 "-----END ",
                                                 "://",
                                                 "/",
                                                 "_",
                                                 "\xC3\xA9",
                                                 "\xFF",
                                                 "**",
                                                 "null",
                                                 "[",
                                                 "&",
                                                 "2x.png",
                                                 "+",
                                                 "%"};
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string_view> some(2 + random() % 5);
    for (std::string_view& piece : some) piece = kPieces[random() % std::size(kPieces)];
    std::string text;
    for (std::size_t pieces = 1 + random() % 20; pieces > 0; --pieces) text += some[random() % some.size()];
    ASSERT_NO_FATAL_FAILURE(expect_as_model(text, round % 2 == 0));
  }
}

// A long line of what looks promising costs its length, not the square of it.
TEST(Detectors, HostileTextsCostTheirLength) {
  for (const char* piece : {"token=",
                            "pwd=",
                            "password=\"",
                            "password='",
                            "pwd=\\\"",
                            "secret>",
                            "key: ",
                            "a@",
                            "a@b.",
                            "%40",
                            "a%40b.c",
                            "::",
                            "1::",
                            "fe80:",
                            "1:",
                            "1.1.",
                            "4111 ",
                            "4111-1111-",
                            "41111111111111111111",
                            "eyJ",
                            "eyJaaaaaaaaaa.",
                            "bearer ",
                            "sk-1",
                            "glpat-",
                            "xoxb-",
                            "SG.a",
                            "IQoJb3JpZ2luX2Vj",
                            "-----BEGIN PRIVATE KEY-----",
                            "-----BEGIN PRIVATE KEY----------END X-----",
                            "://a:",
                            "://:@",
                            "authorization: a ",
                            "\\",
                            "pwd=\\\\\\"}) {
    std::string text;
    while (text.size() < 400'000) text += piece;
    text += "\"";
    const auto began = std::chrono::steady_clock::now();
    (void)find(text, kAll, true);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    EXPECT_LT(took.count(), 5.0) << piece;
  }
}

}  // namespace
}  // namespace logflume::redact
