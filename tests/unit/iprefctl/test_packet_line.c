/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of trace. */
#include "iprefctl/packet_line.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/run.h"

static const struct {
	const char *row; /* with ' for " */
	const char *line;
} cases[] = {
	{"{'result':'passed','direction':'out','time_ms':1700000000123,"
	 "'peer':'198.51.100.1','port':1045,'local':{'src':'192.168.1.2',"
	 "'dst':'10.240.1.7','length':60,'protocol':'tcp','src_port':40000,"
	 "'dst_port':80,'flags':'S','ttl':63,'df':true},'tunnel':{"
	 "'src_gw':'192.0.2.1','src_ref':'700','dst_gw':'198.51.100.1',"
	 "'dst_ref':'0-8000','length':60,'protocol':'tcp','src_port':40000,"
	 "'dst_port':80,'flags':'S','ttl':63,'df':true}}",
		"22:13:20.123 out passed | tcp 192.168.1.2:40000 > "
		"10.240.1.7:80 [S] 60 bytes ttl 63 DF | 192.0.2.1 + 700 > "
		"198.51.100.1 + 0-8000 [S] 60 bytes ttl 63 DF to "
		"198.51.100.1:1045"},
	{"{'result':'dropped','reason':'ref_unknown','direction':'in',"
	 "'time_ms':1700000000009,'peer':'2001:db8::1','port':7,'local':null,"
	 "'tunnel':{'src_gw':'2001:db8::1','src_ref':'1','dst_gw':"
	 "'2001:db8::2','dst_ref':'2','length':100,'protocol':'50','ttl':1,"
	 "'df':false,'offset':1480,'more':true,'id':99}}",
		"22:13:20.009 in  dropped ref_unknown | - | 2001:db8::1 + 1 > "
		"2001:db8::2 + 2 100 bytes ttl 1 fragment 99@1480+ from "
		"[2001:db8::1]:7"},
	{"{'result':'waits','direction':'out','time_ms':1700000000000,"
	 "'peer':null,'port':null,'local':{'src':'fd00::1','dst':'fd10::2',"
	 "'length':104,'protocol':'icmp','icmp_type':128,'icmp_code':0,"
	 "'echo_id':5,'echo_seq':6,'ttl':64,'df':true},'tunnel':null}",
		"22:13:20.000 out waits | icmp fd00::1 > fd10::2 type 128/0 "
		"id 5 seq 6 104 bytes ttl 64 DF | -"},
	{"{'result':'dropped','reason':'bad_length','direction':'out',"
	 "'time_ms':1700000000000,'peer':null,'port':null,'local':{'src':"
	 "'192.168.1.2','dst':'10.240.1.7','length':21},'tunnel':null}",
		"22:13:20.000 out dropped bad_length | 192.168.1.2 > "
		"10.240.1.7 21 bytes | -"},
	{"{'result':'skipped','packets':7,'why':'rate'}",
		"7 packets left out: more than are shown in a second"},
	{"{'result':'skipped','packets':8,'why':'reader'}",
		"8 packets left out: they are not read as fast"},
	{"{'result':'start'}", NULL},
	{"{}", NULL},
};

static json_t *
parse(const char *text)
{
	char json[2048];
	json_t *o;
	size_t i;

	snprintf(json, sizeof(json), "%s", text);
	for (i = 0; json[i]; i++)
		if (json[i] == '\'')
			json[i] = '"';
	o = json_loads(json, 0, NULL);
	ck_assert_msg(o != NULL, "%s", json);
	return o;
}

START_TEST(test_lines)
{
	char line[PACKET_LINE_MAX];
	json_t *row;
	size_t i;

	ck_assert(!setenv("TZ", "UTC", 1));
	tzset();
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		row = parse(cases[i].row);
		if (cases[i].line) {
			ck_assert(packet_line(row, line, sizeof(line)));
			ck_assert_str_eq(line, cases[i].line);
		} else {
			ck_assert(!packet_line(row, line, sizeof(line)));
		}
		json_decref(row);
	}
}
END_TEST

/* A line that does not fit is cut. */
START_TEST(test_cut)
{
	char line[64], whole[PACKET_LINE_MAX];
	json_t *row = parse(cases[0].row);
	size_t size;

	ck_assert(packet_line(row, whole, sizeof(whole)));
	for (size = 1; size <= sizeof(line); size++) {
		ck_assert(packet_line(row, line, size));
		ck_assert_uint_eq(strlen(line), size - 1);
		ck_assert_int_eq(strncmp(line, whole, size - 1), 0);
	}
	json_decref(row);
}
END_TEST

RUN_TESTS("packet line", test_lines, test_cut)
