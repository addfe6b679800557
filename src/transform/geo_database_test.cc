#include "transform/geo_database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "base/temp_dir_for_test.h"
#include "transform/mmdb_for_test.h"

#if defined(__SANITIZE_ADDRESS__)
#define LOGFLUME_HAS_LSAN 1
#elif defined(__has_feature)  // clang
#if __has_feature(address_sanitizer)
#define LOGFLUME_HAS_LSAN 1
#endif
#endif
#ifdef LOGFLUME_HAS_LSAN
#include <sanitizer/lsan_interface.h>
#endif

namespace logflume {
namespace {

// libmaxminddb 1.7 loses 5 KiB when it refuses a file whose metadata breaks off behind its first values.
struct LeaksOfTheLibrary {
#ifdef LOGFLUME_HAS_LSAN
  __lsan::ScopedDisabler disabler;
#endif
};

using ::testing::HasSubstr;
using Found = GeoDatabase::Found;

std::vector<GeoPath> paths_of(const std::vector<std::string>& texts) {
  std::vector<GeoPath> paths;
  for (const std::string& text : texts) paths.push_back(*GeoPath::parse(text));
  return paths;
}

class GeoDatabaseTest : public ::testing::Test {
 protected:
  void write(const std::string& content) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << content;
  }
  Result<std::shared_ptr<const GeoDatabase>> open(const std::vector<std::string>& paths,
                                                  std::size_t bytes_max = 1 << 20) {
    return GeoDatabase::open(path_, paths_of(paths), bytes_max);
  }
  std::string refused(const std::string& content, const std::vector<std::string>& paths = {"a"}) {
    write(content);
    const auto opened = open(paths);
    return opened ? "taken" : opened.error().message;
  }
  static std::string text_of(const GeoDatabase& database, const GeoDatabase::Cell& cell) {
    switch (cell.kind) {
      case ValueKind::kMissing:
        return "-";
      case ValueKind::kString:
        return std::string(database.text().substr(cell.slot.text.at, cell.slot.text.bytes));
      case ValueKind::kInt:
        return std::to_string(cell.slot.integer);
      case ValueKind::kBool:
        return cell.slot.integer != 0 ? "true" : "false";
      case ValueKind::kDouble:
        return "double " + std::to_string(cell.slot.real);
      default:
        return "?";
    }
  }
  // The values, or what else was found.
  static std::vector<std::string> look_up(const GeoDatabase& database, const std::string& address,
                                          std::size_t paths) {
    std::vector<GeoDatabase::Cell> cells(paths);
    const Found found = database.find(*parse_ip_address(address), cells);
    if (found != Found::kYes) return {found == Found::kNo ? "no" : "corrupt"};
    std::vector<std::string> texts;
    for (const GeoDatabase::Cell& cell : cells) texts.push_back(text_of(database, cell));
    return texts;
  }

  const TempDir directory_;
  const std::string path_ = directory_ / "test.mmdb";
};
using Texts = std::vector<std::string>;

std::string country(const std::string& code) {
  return Mmdb::map({{"country", Mmdb::map({{"iso_code", Mmdb::text(code)}})}});
}

TEST(GeoPathTest, HasPartsBetweenDots) {
  EXPECT_EQ(GeoPath::parse("a.0.b c")->parts(), (Texts{"a", "0", "b c"}));
  for (const std::string_view text : {"", ".", "a.", ".a", "a..b", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q"})
    EXPECT_FALSE(GeoPath::parse(text)) << text;
}

TEST_F(GeoDatabaseTest, FindsNetworksOfBothKinds) {
  for (const unsigned bits : {24U, 28U, 32U}) {
    MmdbWriter writer(6, bits);
    writer.insert("10.0.0.0", 8, country("AA"));
    writer.insert("10.1.0.0", 16, country("BB"));
    writer.insert("2001:db8::", 32, country("CC"));
    writer.insert("2001:db8::7", 128, country("DD"));
    write(writer.file("Cities"));
    const auto opened = open({"country.iso_code", "country.names.en"});
    ASSERT_TRUE(opened) << opened.error().text();
    const GeoDatabase& database = **opened;
    EXPECT_EQ(database.name(), "Cities of 2026-01-02");
    EXPECT_TRUE(database.has(0));
    EXPECT_FALSE(database.has(1));
    EXPECT_EQ(look_up(database, "10.2.3.4", 2), (Texts{"AA", "-"}));
    EXPECT_EQ(look_up(database, "10.1.3.4", 2), (Texts{"BB", "-"}));
    EXPECT_EQ(look_up(database, "::ffff:10.1.3.4", 2), (Texts{"BB", "-"}));
    EXPECT_EQ(look_up(database, "2001:db8:1::", 2), (Texts{"CC", "-"}));
    EXPECT_EQ(look_up(database, "2001:db8::7", 2), (Texts{"DD", "-"}));
    EXPECT_EQ(look_up(database, "11.0.0.0", 2), Texts{"no"});
    EXPECT_EQ(look_up(database, "2002::", 2), Texts{"no"});
  }
}

TEST_F(GeoDatabaseTest, ADatabaseOfIPv4KnowsNoIPv6) {
  MmdbWriter writer(4, 24);
  writer.insert("192.0.2.1", 32, country("AA"));
  write(writer.file());
  const auto opened = open({"country.iso_code"});
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(look_up(**opened, "192.0.2.1", 1), Texts{"AA"});
  EXPECT_EQ(look_up(**opened, "192.0.2.2", 1), Texts{"no"});
  EXPECT_EQ(look_up(**opened, "2001:db8::1", 1), Texts{"no"});
}

TEST_F(GeoDatabaseTest, ValuesHaveTheirTypes) {
  MmdbWriter writer(4, 28);
  const std::size_t shared = writer.add_shared(Mmdb::text("shared"));
  const std::string longest(1000, 'x');
  writer.insert(
      "1.0.0.0", 8,
      Mmdb::map({{"text", Mmdb::text("t\xC3\xA4")},
                 {"empty", Mmdb::text("")},
                 {"long", Mmdb::text(longest)},
                 {"pointer", Mmdb::pointer(shared)},
                 {"double", Mmdb::real(-0.5)},
                 {"float", Mmdb::real(0.1F)},
                 {"u16", Mmdb::integer(Mmdb::kUint16, 65535, 2)},
                 {"u32", Mmdb::integer(Mmdb::kUint32, 4294967295, 4)},
                 {"i32", Mmdb::integer(Mmdb::kInt32, static_cast<std::uint32_t>(-7), 4)},
                 {"u64", Mmdb::integer(Mmdb::kUint64, INT64_MAX, 8)},
                 {"large", Mmdb::integer(Mmdb::kUint64, std::uint64_t{1} << 63, 8)},
                 {"u128", Mmdb::integer(Mmdb::kUint128, 7, 16)},
                 {"short", Mmdb::integer(Mmdb::kUint32, 0, 0)},
                 {"yes", Mmdb::boolean(true)},
                 {"list", Mmdb::array({Mmdb::map({{"a", Mmdb::text("first")}}), Mmdb::text("last")})},
                 {"bytes", Mmdb::head(Mmdb::kBytes, 2) + "ab"}}));
  write(writer.file());
  const Texts paths{"text",     "empty",  "long",   "pointer", "double", "float", "u16",
                    "u32",      "i32",    "u64",    "large",   "u128",   "short", "yes",
                    "list.0.a", "list.1", "list.2", "list.x",  "bytes",  "text.a"};
  const auto opened = open(paths);
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(look_up(**opened, "1.2.3.4", paths.size()), (Texts{"t\xC3\xA4",
                                                               "",
                                                               longest,
                                                               "shared",
                                                               "double -0.500000",
                                                               "double 0.100000",
                                                               "65535",
                                                               "4294967295",
                                                               "-7",
                                                               "9223372036854775807",
                                                               "double 9223372036854775808.000000",
                                                               "7",
                                                               "0",
                                                               "true",
                                                               "first",
                                                               "last",
                                                               "-",
                                                               "-",
                                                               "ab",
                                                               "-"}));
  std::vector<GeoDatabase::Cell> cells(paths.size());
  ASSERT_EQ((*opened)->find(*parse_ip_address("1.2.3.4"), cells), Found::kYes);
  EXPECT_EQ(cells[5].slot.real, 0.1) << "and not what is next to it";
}

TEST_F(GeoDatabaseTest, SaysWhatIsWrongWithAFile) {
  MmdbWriter writer(4, 24);
  writer.insert("1.0.0.0", 8, country("AA"));
  const std::string whole = writer.file();
  EXPECT_EQ(refused(whole), "taken");
  EXPECT_THAT(refused(""), HasSubstr("is no MaxMind DB file"));
  EXPECT_THAT(refused("no database"), HasSubstr("is no MaxMind DB file"));
  EXPECT_THAT(refused(whole.substr(0, whole.size() / 2)), HasSubstr("is no MaxMind DB file"));
  EXPECT_EQ(refused(whole, {"country"}),
            path_ + ": \"country\" is a map or an array: name one of its values");

  std::string leads_out = whole;
  leads_out[0] = '\x7F';
  EXPECT_EQ(refused(leads_out), path_ + ": node 0 of 8 leads out of the database");
  MmdbWriter broken(4, 24);
  broken.insert("1.0.0.0", 8, Mmdb::pointer(4'000'000'000));
  EXPECT_EQ(refused(broken.file()), path_ + ": the record at byte 0 of its data is broken");

  write(whole);
  const auto larger = open({"a"}, whole.size() - 1);
  ASSERT_FALSE(larger);
  EXPECT_THAT(larger.error().text(), HasSubstr("more than"));
  EXPECT_TRUE(open({"a"}, whole.size()));
  const auto none = GeoDatabase::open(directory_ / "none", paths_of({"a"}), 100);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().text(), HasSubstr("No such file"));
  EXPECT_FALSE(GeoDatabase::open(directory_.path(), paths_of({"a"}), 100));
}

// A file that is written over would end a process that has mapped it.
TEST_F(GeoDatabaseTest, WhatHappensToTheFileIsNoConcern) {
  MmdbWriter writer(4, 24);
  writer.insert("1.0.0.0", 8, country("AA"));
  for (int i = 0; i < 3000; ++i) writer.add_shared(Mmdb::text("filling"));
  writer.insert("2.0.0.0", 8, country("BB"));
  write(writer.file());
  const auto opened = open({"country.iso_code"});
  ASSERT_TRUE(opened);
  write("");
  EXPECT_EQ(look_up(**opened, "1.2.3.4", 1), Texts{"AA"});
  EXPECT_EQ(look_up(**opened, "2.2.3.4", 1), Texts{"BB"});
}

// Goal: whatever the file holds, it is read or refused. Method: damaged files, all of whose networks are
// looked up; sanitizers look on.
TEST_F(GeoDatabaseTest, SurvivesAnything) {
  std::mt19937 random(7);
  const Texts paths{"country.iso_code", "list.1.x", "a"};
  std::size_t taken = 0;
  for (int i = 0; i < 4000; ++i) {
    MmdbWriter writer(i % 2 == 0 ? 6 : 4, 24 + 4 * static_cast<unsigned>(i % 3));
    const std::size_t shared = writer.add_shared(Mmdb::text("iso_code"));
    writer.insert("1.0.0.0", 8, country("AA"));
    writer.insert(
        "128.0.0.0", 4,
        Mmdb::map({{"list", Mmdb::array({Mmdb::real(1.0), Mmdb::map({{"x", Mmdb::pointer(shared)}})})},
                   {"a", Mmdb::text(std::string(random() % 400, 'y'))}}));
    std::string file = writer.file();
    for (std::size_t changes = random() % 6; changes > 0; --changes) {
      const std::size_t at = random() % file.size();
      switch (random() % 4) {
        case 0:
          file.resize(at + 1);
          break;
        case 1:
          file.insert(at, 1, static_cast<char>(random()));
          break;
        default:
          file[at] = static_cast<char>(random() % 3 == 0 ? 0xFF : random());
      }
    }
    write(file);
    const auto opened = [&] {
      [[maybe_unused]] const LeaksOfTheLibrary leaks;
      return open(paths);
    }();
    if (!opened) continue;
    ++taken;
    (void)(*opened)->name();
    for (const char* address :
         {"1.2.3.4", "128.1.1.1", "0.0.0.0", "255.255.255.255", "::", "::1.0.0.1", "ffff::"}) {
      for (const std::string& text : look_up(**opened, address, paths.size()))
        EXPECT_LE(text.size(), file.size());
    }
  }
  EXPECT_GT(taken, 500U);
}

}  // namespace
}  // namespace logflume
