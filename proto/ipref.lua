-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Wireshark dissector of the IPREF tunnel (proto/tunnel.md), UDP port 1045.
--
--	tshark -X lua_script:proto/ipref.lua -r FILE
--	wireshark: copy it into the folder "Personal Lua Plugins" of About
--	other ports: -d udp.port==PORT,ipref
--
-- TCP and UDP inside the tunnel have checksums without addresses (and may be
-- fragments), so that Wireshark's own dissectors would find fault with them:
-- ports are shown, the rest as data. The packets that ICMP messages quote are
-- IPREF packets again and are shown as such, as deep as gateways translate.
-- Written for Lua 5.2 to 5.4: no bit operators.

local LEVELS = 3
local ICMP = 1
local REF_LENS = {[0] = 4, [1] = 8, [2] = 16}
local ADDR_LENS = {[4] = 4, [6] = 16}

local proto_names = {
	[ICMP] = "ICMP", [6] = "TCP", [17] = "UDP", [33] = "DCCP",
	[47] = "GRE", [50] = "ESP", [132] = "SCTP", [136] = "UDP-Lite",
}
-- Those that begin with two ports.
local has_ports = {
	[6] = true, [17] = true, [33] = true, [132] = true, [136] = true,
}

-- Types and codes inside the tunnel; port unreachable is not IPv4's 3/3.
-- One row each: name, whether the message carries a packet.
local icmp_names = {
	["0/0"] = {"Echo reply", false},
	["8/0"] = {"Echo request", false},
	["3/0"] = {"Network unreachable", true},
	["3/1"] = {"Host unreachable", true},
	["3/2"] = {"Port unreachable", true},
	["3/4"] = {"Fragmentation needed", true},
	["3/13"] = {"Administratively prohibited", true},
	["11/0"] = {"TTL exceeded", true},
	["11/1"] = {"Reassembly time exceeded", true},
}

local ipref = Proto("ipref", "IP with references")

local f = {
	version = ProtoField.uint8("ipref.version", "Version", base.DEC, nil, 0xf0),
	rl = ProtoField.uint8("ipref.rl", "Reference length", base.DEC,
		{[0] = "4 bytes", [1] = "8 bytes", [2] = "16 bytes", [3] = "invalid"},
		0x0c),
	frag = ProtoField.bool("ipref.flags.frag", "Fragment information", 8,
		nil, 0x02),
	df = ProtoField.bool("ipref.flags.df", "Do not fragment", 8, nil, 0x01),
	ipver = ProtoField.uint8("ipref.ipver", "Context address version",
		base.DEC, nil, 0xf0),
	zero = ProtoField.uint8("ipref.reserved", "Reserved", base.HEX, nil, 0x0f),
	ttl = ProtoField.uint8("ipref.ttl", "TTL"),
	proto = ProtoField.uint8("ipref.proto", "Protocol", base.DEC, proto_names),
	frag_zero = ProtoField.uint16("ipref.frag.reserved", "Reserved", base.HEX),
	-- The offset is in bytes as it stands: its low three bits are free.
	offset = ProtoField.uint16("ipref.frag.offset", "Offset"),
	frag_bits = ProtoField.uint16("ipref.frag.bits", "Reserved bits",
		base.HEX, nil, 0x0006),
	mf = ProtoField.bool("ipref.frag.mf", "More fragments", 16, nil, 0x0001),
	id = ProtoField.uint32("ipref.id", "Identification", base.HEX),
	src4 = ProtoField.ipv4("ipref.src", "Source context"),
	dst4 = ProtoField.ipv4("ipref.dst", "Destination context"),
	src6 = ProtoField.ipv6("ipref.src6", "Source context"),
	dst6 = ProtoField.ipv6("ipref.dst6", "Destination context"),
	src_ref = ProtoField.string("ipref.src_ref", "Source reference"),
	dst_ref = ProtoField.string("ipref.dst_ref", "Destination reference"),
	hdr_len = ProtoField.uint8("ipref.hdr_len", "Header length"),
	sport = ProtoField.uint16("ipref.srcport", "Source port"),
	dport = ProtoField.uint16("ipref.dstport", "Destination port"),
	icmp_type = ProtoField.uint8("ipref.icmp.type", "Type"),
	icmp_code = ProtoField.uint8("ipref.icmp.code", "Code"),
	icmp_name = ProtoField.string("ipref.icmp.name", "Message"),
	icmp_sum = ProtoField.uint16("ipref.icmp.checksum", "Checksum", base.HEX),
	icmp_mtu = ProtoField.uint16("ipref.icmp.mtu",
		"MTU of an IPREF packet, without UDP and outer IP"),
	icmp_id = ProtoField.uint16("ipref.icmp.ident", "Identifier", base.HEX),
	icmp_seq = ProtoField.uint16("ipref.icmp.seq", "Sequence number"),
}
ipref.fields = f

local e = {
	short = ProtoExpert.new("ipref.short", "Shorter than its header",
		expert.group.MALFORMED, expert.severity.ERROR),
	bad = ProtoExpert.new("ipref.bad", "Refused by a receiver",
		expert.group.MALFORMED, expert.severity.ERROR),
	icmp = ProtoExpert.new("ipref.icmp.unknown",
		"An ICMP type or code that the tunnel does not have",
		expert.group.PROTOCOL, expert.severity.WARN),
}
ipref.experts = e

local data = Dissector.get("data")

-- The wire form's bytes as sixteen, as text: what ref_format() writes.
local function ref_text(range)
	local len = range:len()
	local bytes, groups = {}, {}
	for i = 0, 15 do
		bytes[i] = 0
	end
	bytes[0] = range(0, 1):uint()
	for i = 1, len - 1 do
		bytes[16 - len + i] = range(i, 1):uint()
	end
	for i = 0, 14, 2 do
		local group = bytes[i] * 256 + bytes[i + 1]
		if group ~= 0 or #groups > 0 or i == 14 then
			groups[#groups + 1] = group
		end
	end
	if #groups == 1 then
		return string.format("%d", groups[1])
	end
	for i = 1, #groups do
		groups[i] = string.format("%x", groups[i])
	end
	return table.concat(groups, "-")
end

-- What is wrong with the first two bytes, or nil.
local function refusal(tvb)
	if tvb(0, 1):bitfield(0, 4) ~= 1 then
		return "another IPREF version than 1"
	elseif not REF_LENS[tvb(0, 1):bitfield(4, 2)] then
		return "reference length code 3"
	elseif not ADDR_LENS[tvb(1, 1):bitfield(0, 4)] then
		return "context addresses that are neither IPv4 nor IPv6"
	elseif tvb(1, 1):bitfield(4, 4) ~= 0 then
		return "reserved bits that are not zero"
	end
	return nil
end

local function add_first_bytes(tvb, tree)
	local bits = {f.version, f.rl, f.frag, f.df}
	for _, field in ipairs(bits) do
		tree:add(field, tvb(0, 1))
	end
	tree:add(f.ipver, tvb(1, 1))
	tree:add(f.zero, tvb(1, 1))
	tree:add(f.ttl, tvb(2, 1))
	tree:add(f.proto, tvb(3, 1))
end

-- Fragment information at byte 4; gives offset and MF.
local function add_fragment(tvb, tree)
	local word = tvb(6, 2):uint()
	local mf = word % 2 == 1
	local offset = word - word % 8
	local zero = tree:add(f.frag_zero, tvb(4, 2))
	if tvb(4, 2):uint() ~= 0 then
		zero:add_proto_expert_info(e.bad, "bytes 4 and 5 must be zero")
	end
	tree:add(f.offset, tvb(6, 2), offset)
	local bits = tree:add(f.frag_bits, tvb(6, 2))
	if tvb(6, 2):bitfield(13, 2) ~= 0 then
		bits:add_proto_expert_info(e.bad, "bits 1 and 2 must be zero")
	end
	tree:add(f.mf, tvb(6, 2))
	tree:add(f.id, tvb(8, 4))
	return offset, mf
end

-- What is missing may never have been there, or not be in the capture.
local function add_short(tvb, tree)
	if tvb:len() < tvb:reported_len() then
		tree:append_text(" (cut by the capture)")
	else
		tree:add_proto_expert_info(e.short)
	end
end

-- Adds the header to the tree. Gives a table that says what was read, or nil
-- when it can't be read to its end.
local function add_header(tvb, tree)
	if tvb:len() < 4 then
		add_short(tvb, tree)
		return nil
	end
	add_first_bytes(tvb, tree)
	local why = refusal(tvb)
	if why then
		tree:add_proto_expert_info(e.bad, "Refused: " .. why)
	end
	local alen = ADDR_LENS[tvb(1, 1):bitfield(0, 4)]
	local rlen = REF_LENS[tvb(0, 1):bitfield(4, 2)]
	if tvb(0, 1):bitfield(0, 4) ~= 1 or not alen or not rlen then
		return nil
	end
	local frag = tvb(0, 1):bitfield(6, 1) == 1
	local at = frag and 12 or 4
	local h = {
		size = at + 2 * (alen + rlen), proto = tvb(3, 1):uint(),
		offset = 0, mf = false,
	}
	if tvb:len() < h.size then
		add_short(tvb, tree)
		return nil
	end
	if frag then
		h.offset, h.mf = add_fragment(tvb, tree)
	end
	local v4 = alen == 4
	local src, dst = tvb(at, alen), tvb(at + alen, alen)
	local src_ref = tvb(at + 2 * alen, rlen)
	local dst_ref = tvb(at + 2 * alen + rlen, rlen)
	tree:add(v4 and f.src4 or f.src6, src)
	tree:add(v4 and f.dst4 or f.dst6, dst)
	tree:add(f.src_ref, src_ref, ref_text(src_ref))
	tree:add(f.dst_ref, dst_ref, ref_text(dst_ref))
	tree:add(f.hdr_len, tvb(0, h.size), h.size):set_generated()
	h.src = tostring(v4 and src:ipv4() or src:ipv6()) .. " + " ..
		ref_text(src_ref)
	h.dst = tostring(v4 and dst:ipv4() or dst:ipv6()) .. " + " ..
		ref_text(dst_ref)
	return h
end

local dissect

-- ICMP at the start of tvb; gives a summary.
local function add_icmp(tvb, pinfo, tree, level)
	local kind = tvb(0, 1):uint() .. "/" .. tvb(1, 1):uint()
	local row = icmp_names[kind] or {"unknown", false}
	local sub = tree:add(ipref, tvb(), "ICMP, the tunnel's form: " .. row[1])
	sub:add(f.icmp_type, tvb(0, 1))
	local code = sub:add(f.icmp_code, tvb(1, 1))
	sub:add(f.icmp_name, tvb(0, 2), row[1])
	if not icmp_names[kind] then
		code:add_proto_expert_info(e.icmp)
	end
	if tvb:len() < 8 then
		return "ICMP " .. row[1]
	end
	sub:add(f.icmp_sum, tvb(2, 2))
	if kind == "3/4" then
		sub:add(f.icmp_mtu, tvb(6, 2))
	elseif kind == "8/0" or kind == "0/0" then
		sub:add(f.icmp_id, tvb(4, 2))
		sub:add(f.icmp_seq, tvb(6, 2))
	end
	if tvb:len() > 8 then
		local rest = tvb(8):tvb()
		if row[2] and level < LEVELS then
			dissect(rest, pinfo, sub, level + 1)
		else
			data:call(rest, pinfo, sub)
		end
	end
	return "ICMP " .. row[1]
end

-- What follows the header; gives a summary.
local function add_payload(tvb, pinfo, tree, h, level)
	local name = proto_names[h.proto] or ("protocol " .. h.proto)
	-- A quoted packet may be cut anywhere.
	if level == 1 and h.mf and tvb:len() % 8 ~= 0 then
		tree:add_proto_expert_info(e.bad,
			"Refused: more fragments follow a length that is no " ..
			"multiple of 8")
	end
	if h.offset == 0 and h.proto == ICMP and tvb:len() >= 2 then
		return add_icmp(tvb, pinfo, tree, level)
	end
	if h.offset == 0 and has_ports[h.proto] and tvb:len() >= 4 then
		tree:add(f.sport, tvb(0, 2))
		tree:add(f.dport, tvb(2, 2))
		name = string.format("%s %d > %d", name, tvb(0, 2):uint(),
			tvb(2, 2):uint())
	end
	data:call(tvb, pinfo, tree)
	return name
end

-- Level 1 is the packet itself, above are those that ICMP messages quote.
dissect = function(tvb, pinfo, tree, level)
	local sub = tree:add(ipref, tvb(),
		level > 1 and "IPREF packet quoted" or "IPREF")
	local h = add_header(tvb, sub)
	if not h then
		if level == 1 then
			pinfo.cols.info = "malformed"
		end
		return
	end
	sub:append_text(": " .. h.src .. " > " .. h.dst)
	local summary = proto_names[h.proto] or ("protocol " .. h.proto)
	if tvb:len() > h.size then
		summary = add_payload(tvb(h.size):tvb(), pinfo, sub, h, level)
	end
	if h.offset > 0 or h.mf then
		summary = string.format("%s, fragment at %d%s", summary, h.offset,
			h.mf and ", more follow" or ", the last")
	end
	if level == 1 then
		pinfo.cols.info = h.src .. " > " .. h.dst .. "  " .. summary
	end
end

function ipref.dissector(tvb, pinfo, tree)
	pinfo.cols.protocol = "IPREF"
	if tvb:len() > 0 then
		dissect(tvb, pinfo, tree, 1)
	end
	return tvb:len()
end

DissectorTable.get("udp.port"):add(1045, ipref)
