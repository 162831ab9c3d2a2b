// The service `lab.Talk`, described at run time, so that no code needs to be generated.
'use strict';
const { create, createFileRegistry } = require('@bufbuild/protobuf');
const {
  FieldDescriptorProto_Label, FieldDescriptorProto_Type, FileDescriptorProtoSchema, FileDescriptorSetSchema,
} = require('@bufbuild/protobuf/wkt');

function field(name, number, type) {
  return { name, jsonName: name, number, type, label: FieldDescriptorProto_Label.OPTIONAL };
}

const message = {
  name: 'Piece',
  field: [field('text', 1, FieldDescriptorProto_Type.STRING), field('data', 2, FieldDescriptorProto_Type.BYTES)],
};

function method(name, clientStreaming, serverStreaming) {
  return { name, inputType: '.lab.Piece', outputType: '.lab.Piece', clientStreaming, serverStreaming };
}

const service = {
  name: 'Talk',
  method: [
    method('Unary', false, false),
    method('Collect', true, false),
    method('Follow', false, true),
    method('Converse', true, true),
  ],
};

const file = create(FileDescriptorProtoSchema, {
  name: 'lab.proto', package: 'lab', syntax: 'proto3', messageType: [message], service: [service],
});
const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));

exports.Talk = registry.getService('lab.Talk');
