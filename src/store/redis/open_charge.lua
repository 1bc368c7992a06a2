-- What an open permit is charged. The scripts that change that charge begin with this.

-- Returns the money, the audio and the number of the last revision in the value of an open permit, `<admitted at> <record>`;
-- nothing if the record is damaged.
local function open_charge(given)
  local decoded, record = pcall(cjson.decode, string.match(given, '^%d+ (.*)$') or '')
  if decoded and type(record) == 'table' and type(record.e) == 'table' then
    return record.e[1], record.e[2], record.r or 0
  end
end

