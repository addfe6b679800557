#include "parse/grok_patterns.h"

namespace logflume {
namespace {

constexpr GrokDefinition kDefinitions[] = {
    // Words and numbers.
    {"USERNAME", R"([A-Za-z0-9._-]+)"},
    {"USER", R"(%{USERNAME})"},
    {"EMAILLOCALPART",
     R"([A-Za-z0-9!#$&'*+/=?^_`{|}~%-]{1,64}(?:\.[A-Za-z0-9!#$&'*+/=?^_`{|}~%-]{1,62}){0,63})"},
    {"EMAILADDRESS", R"(%{EMAILLOCALPART}@%{HOSTNAME})"},
    {"INT", R"([+-]?[0-9]+)"},
    {"BASE10NUM", R"((?<![0-9.+-])(?>[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)))"},
    {"NUMBER", R"(%{BASE10NUM})"},
    {"BASE16NUM", R"((?<![0-9A-Fa-f])[+-]?(?:0x)?[0-9A-Fa-f]+)"},
    {"BASE16FLOAT", R"(\b(?<![0-9A-Fa-f.])[+-]?(?:0x)?(?:[0-9A-Fa-f]+(?:\.[0-9A-Fa-f]*)?|\.[0-9A-Fa-f]+)\b)"},
    {"POSINT", R"(\b[1-9][0-9]*\b)"},
    {"NONNEGINT", R"(\b[0-9]+\b)"},
    {"WORD", R"(\b\w+\b)"},
    {"NOTSPACE", R"(\S+)"},
    {"SPACE", R"(\s*)"},
    {"DATA", R"(.*?)"},
    {"GREEDYDATA", R"(.*)"},
    {"QUOTEDSTRING", R"((?<!\\)(?>"(?>[^"\\]+|\\.)*"|'(?>[^'\\]+|\\.)*'|`(?>[^`\\]+|\\.)*`))"},
    {"QS", R"(%{QUOTEDSTRING})"},
    {"UUID", R"([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})"},
    {"URN", R"(urn:[0-9A-Za-z][0-9A-Za-z-]{0,31}:(?:[0-9A-Za-z()+,.:=@;$_!*'/?#-]|%[0-9A-Fa-f]{2})+)"},

    // Networks.
    {"MAC", R"(%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC})"},
    {"CISCOMAC", R"((?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})"},
    {"WINDOWSMAC", R"((?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2})"},
    {"COMMONMAC", R"((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})"},
    {"IPV4_NUMBER", R"((?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2}))"},
    {"IPV4_QUAD", R"((?:%{IPV4_NUMBER}\.){3}%{IPV4_NUMBER}(?![0-9]))"},
    {"IPV4", R"((?<![0-9])%{IPV4_QUAD})"},
    // By the groups in front of the "::"; an address of IPv4 counts as two groups.
    {"IPV6_GROUP", R"([0-9A-Fa-f]{1,4})"},
    {"IPV6_BEGIN", R"(%{IPV6_GROUP}:)"},
    {"IPV6_END", R"(:%{IPV6_GROUP})"},
    {"IPV6", R"((?:%{IPV6_BEGIN}{7}(?:%{IPV6_GROUP}|:))"
             R"(|%{IPV6_BEGIN}{6}(?:%{IPV4_QUAD}|%{IPV6_END}|:))"
             R"(|%{IPV6_BEGIN}{5}(?::%{IPV4_QUAD}|%{IPV6_END}{1,2}|:))"
             R"(|%{IPV6_BEGIN}{4}(?:%{IPV6_END}?:%{IPV4_QUAD}|%{IPV6_END}{1,3}|:))"
             R"(|%{IPV6_BEGIN}{3}(?:%{IPV6_END}{0,2}:%{IPV4_QUAD}|%{IPV6_END}{1,4}|:))"
             R"(|%{IPV6_BEGIN}{2}(?:%{IPV6_END}{0,3}:%{IPV4_QUAD}|%{IPV6_END}{1,5}|:))"
             R"(|%{IPV6_BEGIN}(?:%{IPV6_END}{0,4}:%{IPV4_QUAD}|%{IPV6_END}{1,6}|:))"
             R"(|:(?:%{IPV6_END}{0,5}:%{IPV4_QUAD}|%{IPV6_END}{1,7}|:))(?:%[0-9A-Za-z._~-]+)?)"},
    {"IP", R"(%{IPV6}|%{IPV4})"},
    {"HOSTNAME", R"(\b[0-9A-Za-z][0-9A-Za-z-]{0,62}(?:\.[0-9A-Za-z][0-9A-Za-z-]{0,62})*(?:\.|\b))"},
    {"HOST", R"(%{HOSTNAME})"},
    {"IPORHOST", R"(%{IP}|%{HOSTNAME})"},
    {"HOSTPORT", R"(%{IPORHOST}:%{POSINT})"},

    // Paths.
    {"PATH", R"(%{UNIXPATH}|%{WINPATH})"},
    {"UNIXPATH", R"((?:/(?:[\w%!$@:.,+~-]|\\.)*)+)"},
    {"TTY", R"(/dev/(?:pts|tty[pq]?)\w*/?[0-9]+)"},
    {"WINPATH", R"((?>[A-Za-z]+:|\\)(?:\\[^\\?*]*)+)"},
    {"URIPROTO", R"([A-Za-z][A-Za-z0-9+.-]+)"},
    {"URIHOST", R"(%{IPORHOST}(?::%{POSINT:port})?)"},
    {"URIPATH", R"((?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+)"},
    {"URIQUERY", R"([A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\[\]<>-]*)"},
    {"URIPARAM", R"(\?%{URIQUERY})"},
    {"URIPATHPARAM", R"(%{URIPATH}(?:%{URIPARAM})?)"},
    {"URI", R"(%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?)"},

    // Times.
    {"MONTH",
     R"(\b(?:[Jj]an(?:uary|uar)?|[Ff]eb(?:ruary|ruar)?|[Mm](?:a|ä)?r(?:ch|z)?|[Aa]pr(?:il)?|[Mm]a(?:y|i)?)"
     R"(|[Jj]un(?:e|i)?|[Jj]ul(?:y|i)?|[Aa]ug(?:ust)?|[Ss]ep(?:tember)?|[Oo](?:c|k)?t(?:ober)?)"
     R"(|[Nn]ov(?:ember)?|[Dd]e(?:c|z)(?:ember)?)\b)"},
    {"MONTHNUM", R"(0?[1-9]|1[0-2])"},
    {"MONTHNUM2", R"(0[1-9]|1[0-2])"},
    {"MONTHDAY", R"(0[1-9]|[12][0-9]|3[01]|[1-9])"},
    {"DAY", R"(Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)"},
    {"YEAR", R"([0-9]{4}|[0-9]{2})"},
    {"HOUR", R"(2[0-3]|[01]?[0-9])"},
    {"MINUTE", R"([0-5][0-9])"},
    {"SECOND", R"((?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?)"},
    {"TIME", R"((?<![0-9])%{HOUR}:%{MINUTE}:%{SECOND}(?![0-9]))"},
    {"DATE_US", R"(%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR})"},
    {"DATE_EU", R"(%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR})"},
    {"ISO8601_TIMEZONE", R"(Z|[+-]%{HOUR}:?%{MINUTE})"},
    {"ISO8601_SECOND", R"(%{SECOND})"},
    {"TIMESTAMP_ISO8601",
     R"(%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?)"},
    {"DATE", R"(%{DATE_US}|%{DATE_EU})"},
    {"DATESTAMP", R"(%{DATE}[- ]%{TIME})"},
    {"TZ", R"([APMCE][SD]T|UTC)"},
    {"DATESTAMP_RFC822", R"(%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ})"},
    {"DATESTAMP_RFC2822", R"(%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE})"},
    {"DATESTAMP_OTHER", R"(%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR})"},
    {"DATESTAMP_EVENTLOG", R"(%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND})"},
    {"HTTPDATE", R"(%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT})"},
    {"HTTPDERROR_DATE", R"(%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{YEAR})"},

    // Syslog.
    {"SYSLOGTIMESTAMP", R"(%{MONTH} +%{MONTHDAY} %{TIME})"},
    {"PROG", R"([\x21-\x5A\x5C\x5E-\x7E]+)"},
    {"SYSLOGPROG", R"(%{PROG:program}(?:\[%{POSINT:pid}\])?)"},
    {"SYSLOGHOST", R"(%{IPORHOST})"},
    {"SYSLOGFACILITY", R"(<%{NONNEGINT:facility}.%{NONNEGINT:priority}>)"},
    {"SYSLOGBASE",
     R"(%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource} %{SYSLOGPROG}:)"},
    {"SYSLOGBASE2",
     R"((?:%{SYSLOGTIMESTAMP:timestamp}|%{TIMESTAMP_ISO8601:timestamp8601}) (?:%{SYSLOGFACILITY} )?)"
     R"(%{SYSLOGHOST:logsource}+(?: %{SYSLOGPROG}:|))"},
    {"SYSLOGLINE", R"(%{SYSLOGBASE2} %{GREEDYDATA:message})"},
    {"SYSLOG5424PRI", R"(<%{NONNEGINT:syslog5424_pri}>)"},

    // Levels.
    {"LOGLEVEL",
     R"((?i:alert|trace|debug|notice|info(?:rmation)?|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe)"
     R"(|emerg(?:ency)?))"},

    // Access logs. What stands in quotes is without them, other than in Logstash.
    {"HTTPDUSER", R"(%{EMAILADDRESS}|%{USER})"},
    {"HTTPDQUOTED", R"([^"\\]*+(?:\\.[^"\\]*+)*+)"},
    {"COMMONAPACHELOG",
     R"(%{IPORHOST:clientip} %{HTTPDUSER:ident} %{HTTPDUSER:auth} \[%{HTTPDATE:timestamp}\] )"
     R"re("(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})" )re"
     R"((?:-|%{NUMBER:response}) (?:-|%{NUMBER:bytes}))"},
    {"COMBINEDAPACHELOG", R"(%{COMMONAPACHELOG} "%{HTTPDQUOTED:referrer}" "%{HTTPDQUOTED:agent}")"},
    {"HTTPD_COMMONLOG", R"(%{COMMONAPACHELOG})"},
    {"HTTPD_COMBINEDLOG", R"(%{COMBINEDAPACHELOG})"},
    {"HTTPD20_ERRORLOG",
     R"(\[%{HTTPDERROR_DATE:timestamp}\] \[%{LOGLEVEL:loglevel}\] (?:\[client %{IPORHOST:clientip}\] )?)"
     R"(%{GREEDYDATA:message})"},
    {"HTTPD24_ERRORLOG",
     R"(\[%{HTTPDERROR_DATE:timestamp}\] \[(?:%{WORD:module})?:%{LOGLEVEL:loglevel}\] )"
     R"(\[pid %{POSINT:pid}(?::tid %{NUMBER:tid})?\](?: \(%{POSINT:proxy_errorcode}\)%{DATA:proxy_message}:)?)"
     R"((?: \[client %{IPORHOST:clientip}:%{POSINT:clientport}\])?(?: %{DATA:errorcode}:)? %{GREEDYDATA:message})"},
    {"HTTPD_ERRORLOG", R"(%{HTTPD20_ERRORLOG}|%{HTTPD24_ERRORLOG})"},

    // Java.
    {"JAVACLASS", R"((?:[A-Za-z$_][A-Za-z$_0-9]*\.)*[A-Za-z$_][A-Za-z$_0-9]*)"},
    {"JAVAMETHOD", R"(<init>|<clinit>|[A-Za-z$_][A-Za-z$_0-9]*)"},
    {"JAVAFILE", R"([A-Za-z0-9_. -]+)"},
    {"JAVASTACKTRACEPART",
     R"(%{SPACE}at %{JAVACLASS:class}\.%{JAVAMETHOD:method}\(%{JAVAFILE:file}(?::%{INT:line})?\))"},
};

}  // namespace

std::span<const GrokDefinition> grok_definitions() { return kDefinitions; }

}  // namespace logflume
