/*
 * report_html.c - HTML elements of report.html: escaped text, numbers, description lists; the style
 * sheet, also of the tables (tools/cli/cli_table.c).
 *
 * Text from files or arguments is escaped by report_text or text_print_xml.
 */
#include "tensor/base/text.h"
#include "tools/cli/cli.h"
#include "tools/report/report_private.h"
#include "train/json.h"
#include "train/plot/chart.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void print_escaped(FILE *stream, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) {
        train_json_lose(); /* report_write_file then fails */
        return;
    }
    text_print_xml(stream, text);
    free(text);
}

void report_text(FILE *stream, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_escaped(stream, format, arguments);
    va_end(arguments);
}

void report_number(FILE *stream, double value)
{
    char number[CLI_NUMBER_SIZE];
    if (cli_number(number, CLI_FRACTION, value) && isfinite(value))
        text_print_xml(stream, number);
    else
        fputs("<span class=\"none\" title=\"undefined\">&ndash;</span>", stream);
}

void report_open_fact(FILE *stream, const char *name)
{
    fputs("<div><dt>", stream);
    text_print_xml(stream, name);
    fputs("</dt><dd>", stream);
}

void report_close_fact(FILE *stream)
{
    fputs("</dd></div>\n", stream);
}

void report_fact(FILE *stream, const char *name, const char *format, ...)
{
    report_open_fact(stream, name);
    va_list arguments;
    va_start(arguments, format);
    print_escaped(stream, format, arguments);
    va_end(arguments);
    report_close_fact(stream);
}

/* ---- names ----------------------------------------------------------------------------------- */

const char *report_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

const char *report_result_name(const Report *report, const EvalResult *result)
{
    const EvalAdapter *adapter = result->adapter;
    if (adapter && adapter->name)
        return adapter->name;
    if (adapter && adapter->path)
        return report_base_name(adapter->path);
    return report_base_name(result->provenance.model ? result->provenance.model : report->subject);
}

/* ---- style sheet ----------------------------------------------------------------------------- */

/*
 * Colours are variables with a second set for dark screens; print always uses the light set. The
 * accent colour is the first colour of the charts. Text has a contrast of at least 4.5 to 1, which
 * tests/check_report_browser.py measures.
 */

static const char COLOURS[] =
    ":root{--paper:#fff;--ink:#1c1e21;--soft:#5c6066;--line:#dfe2e6;--wash:#f5f6f8;"
    "--accent:#0067a5;--alert:#8a5300;--real:#0067a5;--fake:#b54700;--shade:#0003}\n"
    "@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--paper:#16181b;"
    "--ink:#e6e6e6;--soft:#a4a8ae;--line:#33373d;--wash:#1e2125;--accent:#5cb3ec;--alert:#e6b45c;"
    "--real:#5cb3ec;--fake:#ff9350;--shade:#fff4}}\n";

static const char PAGE[] =
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%;scroll-padding-top:1rem}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\n"
    "main,header,footer{max-width:70rem;margin:0 auto;padding:0 1.25rem}\n"
    "header{padding-top:3rem}\n"
    "footer{padding-top:2rem;padding-bottom:3rem;color:var(--soft);font-size:.875rem}\n"
    "h1,h2,h3{line-height:1.25;font-weight:650;overflow-wrap:anywhere;text-wrap:balance}\n"
    "h1{font-size:clamp(1.6rem,1.2rem + 2vw,2.25rem);letter-spacing:-.015em;margin:.25rem 0 "
    ".5rem}\n"
    "h2{font-size:1.4rem;letter-spacing:-.01em;margin:0 0 .25rem}\n"
    "h3{font-size:1.05rem;margin:2.5rem 0 .5rem}\n"
    "h4{font-size:.9375rem;font-weight:600;margin:1.25rem 0 .25rem;overflow-wrap:anywhere}\n"
    "p{margin:.25rem 0 1rem;max-width:46rem}\n"
    "a{color:var(--accent);text-underline-offset:.2em;text-decoration-thickness:1px}\n"
    ":focus-visible{outline:2px solid var(--accent);outline-offset:2px}\n"
    ".brand{color:var(--accent);font-weight:650;margin:0}\n"
    ".soft,.lede{color:var(--soft)}\n"
    ".lede{overflow-wrap:anywhere}\n"
    "section{margin-top:3.5rem;border-top:1px solid var(--line);padding-top:1.75rem}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:1.25rem 0 0;"
    "padding:0}\n"
    "nav a{display:inline-block;padding:.3rem 0;text-decoration:none;overflow-wrap:anywhere}\n"
    "nav a:hover{text-decoration:underline}\n";

static const char PARTS[] =
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:1.5rem;"
    "margin:2rem 0 0;padding:0}\n"
    ".tiles div{border-top:2px solid var(--line);padding-top:.6rem}\n"
    ".tiles .main{border-color:var(--accent)}\n"
    ".tiles dt{color:var(--soft);font-size:.875rem;line-height:1.35}\n"
    ".tiles dd{margin:0;font-size:1.75rem;font-weight:600;letter-spacing:-.02em;"
    "font-variant-numeric:tabular-nums}\n"
    ".tiles small{display:block;font-size:.8125rem;font-weight:400;letter-spacing:0;"
    "color:var(--soft)}\n"
    ".alerts{margin-top:2rem;border:0;border-left:3px solid var(--alert);background:var(--wash);"
    "padding:1rem 1.25rem}\n"
    ".alerts h2{font-size:1rem;color:var(--alert)}\n"
    ".alerts ul{margin:.25rem 0 0;padding-left:1.1rem}\n"
    ".alerts li{overflow-wrap:anywhere}\n"
    ".facts{margin:.75rem 0 0;display:grid;gap:.5rem}\n"
    ".facts div{display:grid;grid-template-columns:minmax(7rem,13rem) 1fr;gap:1rem}\n"
    ".facts dt{color:var(--soft);overflow-wrap:anywhere}\n"
    ".facts dd{margin:0;min-width:0;overflow-wrap:anywhere}\n"
    ".terms{columns:26rem;column-gap:3rem;margin:1rem 0 0}\n"
    ".terms div{break-inside:avoid;padding-bottom:1rem}\n"
    ".terms dt{font-weight:600}\n"
    ".terms dd{margin:0}\n"
    "code,pre{font:.8125rem/1.5 ui-monospace,'SF Mono',Menlo,Consolas,monospace}\n"
    "pre{overflow-x:auto;columns:15rem;background:var(--wash);padding:1rem;margin:.5rem 0}\n"
    "details{margin-top:1.25rem}\n"
    "summary{cursor:pointer;color:var(--accent);padding:.3rem 0;width:fit-content}\n";

/*
 * A table scrolls within its box; the caption and the first column stay. The right edge of a box
 * with hidden columns is shaded (the shade lies behind a background that scrolls with the table),
 * and the caption says so: the animation sets --hint only if there is something to scroll.
 */
static const char TABLES[] =
    ".scroll{overflow-x:auto;margin:.5rem 0 1rem;container-type:inline-size;"
    "background:linear-gradient(90deg,transparent,var(--paper) 70%) right/3rem 100% no-repeat "
    "local,linear-gradient(90deg,transparent,var(--shade)) right/1rem 100% no-repeat scroll;"
    "animation:hint linear both;animation-timeline:scroll(self inline)}\n"
    "@keyframes hint{from,to{--hint:'Scroll sideways for all columns \\2192'}}\n"
    "table{border-collapse:collapse;font-size:.9375rem;font-variant-numeric:tabular-nums;"
    "min-width:100%}\n"
    "caption{text-align:left;color:var(--soft);font-size:.875rem;padding-bottom:.5rem}\n"
    "caption span{display:inline-block;position:sticky;left:0;max-width:100cqw}\n"
    "caption span::after{content:var(--hint,none);display:block;color:var(--accent)}\n"
    "th,td{padding:.45rem 0 .45rem 1.25rem;text-align:right;white-space:nowrap;"
    "border-bottom:1px solid var(--line);vertical-align:middle}\n"
    "thead "
    "th{white-space:normal;line-height:1.3;color:var(--soft);font-weight:500;font-size:.8125rem;"
    "vertical-align:bottom}\n"
    "th[scope=row],th.word,td.word{text-align:left}\n"
    "th[scope=row]{font-weight:500}\n"
    "th:first-child{padding-left:0;padding-right:.5rem;position:sticky;left:0;"
    "background:var(--paper);max-width:15rem;overflow-wrap:anywhere;white-space:normal;"
    "min-width:10rem}\n"
    "tbody+tbody tr:first-child>*{border-top:2px solid var(--line)}\n"
    "td.long{white-space:normal;min-width:16rem;overflow-wrap:anywhere}\n"
    "td.key{font-weight:600}\n"
    ".interval{color:var(--soft)}\n"
    "td span.interval{display:block;font-size:.8125rem}\n"
    "td.forest{padding-top:0;padding-bottom:0}\n"
    ".forest svg{display:block;margin-left:auto}\n"
    ".forest .track{stroke:var(--line);stroke-width:1}\n"
    ".forest .zero{stroke:var(--soft);stroke-width:1}\n"
    ".forest .range{stroke:var(--accent);stroke-opacity:.45;stroke-width:4;stroke-linecap:round}\n"
    ".forest circle{fill:var(--accent)}\n"
    ".level{display:inline-block;font-size:.6875rem;font-weight:650;letter-spacing:.06em;"
    "text-transform:uppercase;border:1px solid currentColor;border-radius:3px;padding:0 .4em;"
    "margin-right:.6em;vertical-align:.1em}\n"
    ".level.video{color:var(--accent)}\n"
    ".level.frame{color:var(--soft);border-style:dashed}\n";

/* Captions of a row of figures have the same height, and their plots end at the same height. */
static const char FIGURES[] =
    ".figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));"
    "gap:0 2rem;margin:1.75rem 0 0}\n"
    "figure{margin:0;min-width:0;break-inside:avoid}\n"
    ".figures figure{max-width:30rem;display:grid;grid-row:span 2;grid-template-rows:subgrid;"
    "margin-bottom:2.25rem}\n"
    "figcaption{font-size:.875rem;color:var(--soft);line-height:1.4;margin-bottom:.4rem}\n"
    "figcaption b{display:block;color:var(--ink);font-weight:600;font-size:.9375rem}\n"
    ".figures .chart{width:100%;display:block;align-self:end}\n"
    ".frames{display:grid;grid-template-columns:repeat(auto-fill,minmax(96px,1fr));gap:1rem .75rem;"
    "list-style:none;margin:.75rem 0 0;padding:0}\n"
    ".frames li{font-size:.75rem;line-height:1.35;color:var(--soft);min-width:0}\n"
    ".frames img,.frames .gone{display:flex;width:96px;height:96px;border-radius:4px;"
    "background:var(--wash);margin-bottom:.3rem}\n"
    ".frames .gone{align-items:center;text-align:center;padding:.5rem}\n"
    ".frames b{color:var(--ink);font-size:.8125rem;font-variant-numeric:tabular-nums;"
    "display:block}\n"
    ".frames span{display:block;overflow-wrap:anywhere}\n"
    ".frames .gone{white-space:normal}\n";

static const char NARROW[] =
    "@media (max-width:34rem){.facts div{grid-template-columns:1fr;gap:0}\n"
    ".facts{gap:.9rem}\nheader{padding-top:1.75rem}\nsection{margin-top:2.75rem}\n"
    "th,td{padding-left:.75rem}\nth:first-child{max-width:8.5rem;min-width:6.5rem}\n"
    ".tiles{grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:1.25rem}\n"
    "td.word{white-space:normal;overflow-wrap:anywhere;min-width:5rem}\n"
    "td.long{min-width:14rem}}\n"
    "@media print{body{font-size:10pt}\nmain,header,footer{max-width:none;padding:0}\n"
    "header{padding-top:0}\nsection{margin-top:1.5rem}\nnav{display:none}\n"
    "h2,h3,caption{break-after:avoid}\ntr,.frames li{break-inside:avoid}\n"
    ".scroll{overflow:visible;animation:none;background:none}\ntable{font-size:7.5pt}\nthead "
    "th{font-size:7pt}\n"
    "th,td,th:first-child{padding-left:.5rem;min-width:0;max-width:none}\n"
    "th:first-child{padding-left:0;min-width:4.5rem}\n.forest svg{width:5rem;height:auto}\n"
    "td.word,td.long{white-space:normal;min-width:0;overflow-wrap:anywhere}\n"
    "th:first-child{position:static}\n"
    ".figures{grid-template-columns:1fr 1fr}\n"
    "pre{white-space:pre-wrap}\na{color:inherit;text-decoration:none}\n"
    "details::details-content{content-visibility:visible;block-size:auto}\n"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

void report_write_style(FILE *stream)
{
    fputs(COLOURS, stream);
    fputs(PAGE, stream);
    fputs(PARTS, stream);
    fputs(TABLES, stream);
    plot_write_style(stream);
    fputs(FIGURES, stream);
    fputs(NARROW, stream);
}

/* ---- the frame of a page --------------------------------------------------------------------- */

void report_open_page(FILE *stream, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'; img-src data:\">\n<title>",
          stream);
    text_print_xml(stream, title);
    fputs("</title>\n<style>\n", stream);
    report_write_style(stream);
    fputs("</style>\n</head>\n<body>\n<header>\n<p class=\"brand\">lnclip</p>\n<h1>", stream);
    text_print_xml(stream, title);
    fputs("</h1>\n", stream);
}

void report_open_sections(FILE *stream)
{
    fputs("</header>\n<main>\n", stream);
}

void report_close_page(FILE *stream)
{
    fputs("</main>\n<footer>", stream);
    report_text(stream, "Written by lnclip %s.", LNCLIP_VERSION);
    fputs("</footer>\n</body>\n</html>\n", stream);
}
