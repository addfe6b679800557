// Fields about the machine.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/utsname.h>

#include <array>
#include <fstream>
#include <memory>
#include <optional>

#include "transform/types.h"

namespace logflume {
namespace {

constexpr std::array<std::string_view, 6> kFacts = {"host_name", "host_ip",      "os",
                                                    "kernel",    "architecture", "machine_id"};

bool is_global(const in_addr& address) {
  const std::uint32_t ip = ntohl(address.s_addr);
  return ip >> 24 != 127 && ip >> 16 != 0xA9FE && ip >> 24 != 0;  // loopback, link-local, none
}

bool is_global(const in6_addr& address) {
  return !IN6_IS_ADDR_LOOPBACK(&address) && !IN6_IS_ADDR_LINKLOCAL(&address) &&
         !IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_MULTICAST(&address);
}

// The first address that others may know, of IPv4 before IPv6; empty when there is none.
std::string first_address() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, &::freeifaddrs);
  std::string of_ipv6;
  std::array<char, INET6_ADDRSTRLEN> text{};
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0) continue;
    if (one->ifa_addr->sa_family == AF_INET) {
      const auto& address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
      if (is_global(address) && ::inet_ntop(AF_INET, &address, text.data(), text.size()) != nullptr)
        return text.data();
    } else if (one->ifa_addr->sa_family == AF_INET6 && of_ipv6.empty()) {
      const auto& address = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
      if (is_global(address) && ::inet_ntop(AF_INET6, &address, text.data(), text.size()) != nullptr)
        of_ipv6 = text.data();
    }
  }
  return of_ipv6;
}

// PRETTY_NAME of os-release(5), or what uname says.
std::string system_name(const utsname& system) {
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      constexpr std::string_view kKey = "PRETTY_NAME=";
      if (!line.starts_with(kKey)) continue;
      std::string_view name = std::string_view(line).substr(kKey.size());
      if (name.size() > 1 && (name[0] == '"' || name[0] == '\'') && name.back() == name[0])
        name = name.substr(1, name.size() - 2);
      if (!name.empty()) return std::string(name);
    }
  }
  return system.sysname;
}

std::string machine_id() {
  std::string id;
  std::ifstream file("/etc/machine-id");
  std::getline(file, id);
  return id.size() == 32 ? id : std::string();  // "uninitialized" before the first boot is over
}

// Empty where it cannot be told.
std::string fact(std::string_view name, const utsname& system) {
  if (name == "host_ip") return first_address();
  if (name == "os") return system_name(system);
  if (name == "kernel") return system.release;
  if (name == "architecture") return system.machine;
  if (name == "machine_id") return machine_id();
  return {};
}

struct Fact {
  std::string field;
  std::string value;
  bool is_host = false;  // the agent's name of the machine
};

class AddHostStage final : public Stage {
 public:
  AddHostStage(const std::vector<Fact>& facts, const StageContext& context) {
    for (const Fact& one : facts) {
      if (context.wanted.has(one.field))
        facts_.emplace_back(one.field, one.is_host ? context.host : one.value);
    }
  }
  void run(const Frame& in, std::span<Frame> out, StageReport& /*report*/) override {
    Frame& frame = out[0];
    frame.rows = in.rows;
    columns_.begin(in.batch->text(), in.lines->size());
    for (const auto& [field, value] : facts_) {
      TextRef ref;
      if (in.rows.empty() || !columns_.copy(value, ref)) continue;
      Column& column = columns_.at(columns_.index_of(field));
      for (const std::uint32_t row : in.rows) column.add(row, ValueKind::kString, Slot::of(ref));
      frame.put({{}, column.name(), &columns_, &column, nullptr});
    }
  }
  std::size_t memory_bytes() const override { return columns_.memory_bytes(); }

 private:
  std::vector<std::pair<std::string, std::string>> facts_;  // those that somebody wants
  Columns columns_;
};

class AddHost final : public Transform {
 public:
  explicit AddHost(std::vector<Fact> facts) : facts_(std::move(facts)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    for (const Fact& one : facts_) needs.names.erase(one.field);
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    for (const Fact& one : facts_) out.fields[one.field] = ExprType::kString;
    return out;
  }
  std::vector<std::string> writes() const override {
    std::vector<std::string> names;
    for (const Fact& one : facts_) names.push_back(one.field);
    return names;
  }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<AddHostStage>(facts_, context);
  }

 private:
  const std::vector<Fact> facts_;
};

struct AddHostConfig : TransformConfig {
  std::vector<std::string> fields{"host_name", "host_ip", "os", "kernel", "architecture"};
  std::string prefix;
  bool operator==(const AddHostConfig&) const = default;
  TransformBuilt build(const FieldSchema& /*in*/) const {
    utsname system{};
    (void)::uname(&system);
    std::vector<Fact> facts;
    for (const std::string& name : fields) {
      if (std::ranges::find(kFacts, name) == kFacts.end())
        return TransformError{"fields", SIZE_MAX, fmt::format("there is no \"{}\"", name),
                              fmt::format("there are {}", fmt::join(kFacts, ", "))};
      Fact made{prefix + name, fact(name, system), name == "host_name"};
      if (made.is_host || !made.value.empty()) facts.push_back(std::move(made));
    }
    return std::make_unique<AddHost>(std::move(facts));
  }
};

}  // namespace

TransformType add_host_transform() {
  Describe<AddHostConfig> host(
      "Fields about the machine that the agent runs on, as it was when the agent started or was reloaded "
      "last. What cannot be told is not there.");
  host.field("fields", &AddHostConfig::fields,
             "Which: `host_name`; `host_ip`, the first address that is neither a loopback's nor link-local, "
             "of IPv4 if there is one; `os`, as os-release(5) names it; `kernel`, its release; "
             "`architecture`; `machine_id`, as in machine-id(5).")
      .must(must_not_be_empty, "the name of a field");
  host.field("prefix", &AddHostConfig::prefix, "In front of the fields' names.").example_is("machine_");
  return transform_type("add_host", std::move(host));
}

}  // namespace logflume
