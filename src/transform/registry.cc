#include "transform/registry.h"

#include "transform/types.h"

namespace logflume {

const std::vector<TransformType>& transform_types() {
  static const std::vector<TransformType> types = [] {
    std::vector<TransformType> all{
        // clang-format off
        parse_json_transform(),
        parse_regex_transform(),
        parse_grok_transform(),
        parse_nginx_transform(),
        parse_apache_transform(),
        parse_logfmt_transform(),
        parse_key_value_transform(),
        parse_csv_transform(),
        parse_syslog_transform(),
        parse_klog_transform(),
        parse_cri_transform(),
        parse_docker_json_transform(),
        filter_transform(),
        set_transform(),
        rename_transform(),
        remove_transform(),
        keep_transform(),
        redact_transform(),
        route_transform(),
        sample_transform(),
        throttle_transform(),
        dedupe_transform(),
        parse_timestamp_transform(),
        template_transform(),
        add_host_transform(),
        log_to_metric_transform(),
        lookup_transform(),
        geoip_transform(),
        aggregate_transform(),
        multiline_transform(),
        // clang-format on
    };
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].index = i;
      all[i].make = [make = std::move(all[i].make), i] {
        AnyTransformConfig made = make();
        made.set_index(i);
        return made;
      };
    }
    return all;
  }();
  return types;
}

const std::string& type_name(const AnyTransformConfig& config) {
  return transform_types()[config.index()].name;
}

}  // namespace logflume
