// Each type of transform, made by its own file.
#pragma once

#include "transform/registry.h"

namespace logflume {

TransformType parse_json_transform();
TransformType parse_regex_transform();
TransformType parse_grok_transform();
TransformType parse_nginx_transform();
TransformType parse_apache_transform();
TransformType parse_logfmt_transform();
TransformType parse_key_value_transform();
TransformType parse_csv_transform();
TransformType parse_syslog_transform();
TransformType parse_klog_transform();
TransformType parse_cri_transform();
TransformType parse_docker_json_transform();
TransformType filter_transform();
TransformType set_transform();
TransformType rename_transform();
TransformType remove_transform();
TransformType keep_transform();
TransformType redact_transform();
TransformType route_transform();
TransformType sample_transform();
TransformType throttle_transform();
TransformType dedupe_transform();
TransformType parse_timestamp_transform();
TransformType template_transform();
TransformType add_host_transform();
TransformType log_to_metric_transform();
TransformType lookup_transform();
TransformType geoip_transform();
TransformType aggregate_transform();
TransformType multiline_transform();

}  // namespace logflume
